//! The counters as Prometheus reads them (text format 0.0.4).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use adsum_forward::GatewayError;

use super::{BOUNDS, Classes, Counter, Histogram, InstanceSeries, Ledger, RouteSeries};

/// Gathers what several workers have counted. Same labels are added up.
#[derive(Debug, Default)]
pub(crate) struct Text {
    families: BTreeMap<&'static str, Family>,
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: &'static str,
    /// By suffix and labels, as they are written, in the order in which they came.
    samples: Vec<(String, f64)>,
    places: HashMap<String, usize>,
}

/// One metric's name and what it means.
struct Metric(&'static str, &'static str, &'static str);

impl Text {
    pub(crate) fn add(&mut self, ledger: &Ledger) {
        self.worker(ledger);
        for series in ledger.routes.lock().iter() {
            self.route(series);
        }
        for series in ledger.instances.lock().iter() {
            self.instance(series);
        }
    }

    pub(crate) fn print(self) -> String {
        let mut text = String::new();
        for (name, family) in self.families {
            let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {}\n", family.help, family.kind);
            for (labels, value) in family.samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }

    pub(crate) fn single(&mut self, name: &'static str, help: &'static str, kind: &'static str, value: u64) {
        self.sample(Metric(name, help, kind), String::new(), value as f64);
    }

    fn worker(&mut self, ledger: &Ledger) {
        let rows: [(&'static str, &'static str, &'static str, &Counter); 12] = [
            (
                "adsum_gateway_connections_accepted_total",
                "Client connections accepted.",
                "counter",
                &ledger.accepted,
            ),
            ("adsum_gateway_connections", "Client connections that are open.", "gauge", &ledger.connections),
            (
                "adsum_gateway_connections_refused_total",
                "Client connections closed at once because there were too many.",
                "counter",
                &ledger.turned_away,
            ),
            ("adsum_gateway_accept_errors_total", "Accepting failed.", "counter", &ledger.accept_errors),
            (
                "adsum_gateway_handshake_errors_total",
                "TLS handshakes that failed.",
                "counter",
                &ledger.handshake_errors,
            ),
            (
                "adsum_gateway_rejected_total",
                "Requests refused for their form, before any route was looked for.",
                "counter",
                &ledger.rejected,
            ),
            ("adsum_gateway_unrouted_total", "Requests that no route was for.", "counter", &ledger.unrouted),
            (
                "adsum_gateway_told_total",
                "Long-lived connections told to leave, by a drain or at the end of the gateway.",
                "counter",
                &ledger.told,
            ),
            ("adsum_gateway_pending", "Requests that wait for an instance.", "gauge", &ledger.pending),
            ("adsum_gateway_in_flight", "Requests in flight.", "gauge", &ledger.in_flight),
            (
                "adsum_gateway_upgrades",
                "Upgraded and TCP connections that are open.",
                "gauge",
                &ledger.upgrades,
            ),
            (
                "adsum_gateway_cut_total",
                "Long-lived connections cut at the end of a drain.",
                "counter",
                &ledger.cut,
            ),
        ];
        for (name, help, kind, counter) in rows {
            self.single(name, help, kind, counter.get());
        }
    }

    fn route(&mut self, series: &Arc<RouteSeries>) {
        let labels =
            format!("service=\"{}\",route=\"{}\"", escaped(series.service.as_str()), escaped(&series.route));
        self.classes(
            Metric(
                "adsum_gateway_requests_total",
                "Requests answered, by the first digit of the status.",
                "counter",
            ),
            &labels,
            &series.requests,
        );
        self.histogram(&labels, &series.duration);
        let rows: [(&'static str, &'static str, &Counter); 5] = [
            ("adsum_gateway_received_bytes_total", "Bytes of requests' bodies.", &series.received),
            ("adsum_gateway_sent_bytes_total", "Bytes of answers' bodies.", &series.sent),
            ("adsum_gateway_held_total", "Requests that waited for an instance.", &series.held),
            ("adsum_gateway_retries_total", "Tries after the first.", &series.retries),
            (
                "adsum_gateway_abandoned_total",
                "Callers gone before their answer had ended.",
                &series.abandoned,
            ),
        ];
        for (name, help, counter) in rows {
            self.sample(Metric(name, help, "counter"), format!("{{{labels}}}"), counter.get() as f64);
        }
        for (code, counter) in
            GatewayError::ALL.iter().zip(&series.errors).filter(|(_, counter)| counter.get() > 0)
        {
            self.sample(
                Metric("adsum_gateway_errors_total", "Answers of the gateway itself, by reason.", "counter"),
                format!("{{{labels},code=\"{}\"}}", code.code()),
                counter.get() as f64,
            );
        }
    }

    fn instance(&mut self, series: &Arc<InstanceSeries>) {
        let labels = format!(
            "service=\"{}\",version=\"{}\",instance=\"{}\"",
            escaped(series.service.as_str()),
            series.version,
            series.instance
        );
        self.classes(
            Metric("adsum_gateway_instance_requests_total", "Answers of an instance.", "counter"),
            &labels,
            &series.requests,
        );
        let rows: [(&'static str, &'static str, &'static str, &Counter); 6] = [
            (
                "adsum_gateway_instance_failures_total",
                "Tries that got no answer.",
                "counter",
                &series.failures,
            ),
            ("adsum_gateway_instance_in_flight", "Requests in flight.", "gauge", &series.in_flight),
            (
                "adsum_gateway_instance_ejected",
                "Workers of the gateway that send it nothing for its failures.",
                "gauge",
                &series.ejected,
            ),
            (
                "adsum_gateway_instance_upgrades_total",
                "Upgraded and TCP connections.",
                "counter",
                &series.upgraded,
            ),
            (
                "adsum_gateway_instance_cut_total",
                "Connections cut at the end of a drain.",
                "counter",
                &series.cut,
            ),
            ("adsum_gateway_instance_connections_total", "Connections made.", "counter", &series.connections),
        ];
        for (name, help, kind, counter) in rows {
            self.sample(Metric(name, help, kind), format!("{{{labels}}}"), counter.get() as f64);
        }
    }

    fn classes(&mut self, metric: Metric, labels: &str, classes: &Classes) {
        let Metric(name, help, kind) = metric;
        for (class, counter) in classes.0.iter().enumerate().filter(|(_, counter)| counter.get() > 0) {
            let labels = format!("{{{labels},status=\"{}xx\"}}", class + 1);
            self.sample(Metric(name, help, kind), labels, counter.get() as f64);
        }
    }

    fn histogram(&mut self, labels: &str, histogram: &Histogram) {
        const BUCKET: Metric =
            Metric("adsum_gateway_request_duration_seconds", "From head to end.", "histogram");
        let mut total = 0;
        for (bound, bucket) in BOUNDS.iter().zip(&histogram.buckets) {
            total += bucket.get();
            let le = *bound as f64 / 1e6;
            self.sample(BUCKET, format!("_bucket{{{labels},le=\"{le}\"}}"), total as f64);
        }
        let count = histogram.count.get().max(total);
        self.sample(BUCKET, format!("_bucket{{{labels},le=\"+Inf\"}}"), count as f64);
        self.sample(BUCKET, format!("_sum{{{labels}}}"), histogram.micros.get() as f64 / 1e6);
        self.sample(BUCKET, format!("_count{{{labels}}}"), count as f64);
    }

    fn sample(&mut self, Metric(name, help, kind): Metric, labels: String, value: f64) {
        let fresh = || Family { help, kind, samples: Vec::new(), places: HashMap::new() };
        let family = self.families.entry(name).or_insert_with(fresh);
        match family.places.get(&labels) {
            Some(place) => family.samples[*place].1 += value,
            None => {
                family.places.insert(labels.clone(), family.samples.len());
                family.samples.push((labels, value));
            }
        }
    }
}

/// As a label's value wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn workers_are_added_up_and_labels_are_escaped() {
        let ledgers = [Ledger::default(), Ledger::default()];
        let mut text = Text::default();
        for ledger in &ledgers {
            let series = ledger.route(&"shop".parse().unwrap(), "shop/\"odd\"\\");
            series.requests.count(http::StatusCode::OK);
            series.requests.count(http::StatusCode::NOT_FOUND);
            series.duration.observe(Duration::from_millis(3));
            series.error(GatewayError::Deadline);
            text.add(ledger);
        }
        let text = text.print();
        let labels = r#"service="shop",route="shop/\"odd\"\\""#;
        for line in [
            format!("adsum_gateway_requests_total{{{labels},status=\"2xx\"}} 2"),
            format!("adsum_gateway_requests_total{{{labels},status=\"4xx\"}} 2"),
            format!("adsum_gateway_request_duration_seconds_bucket{{{labels},le=\"0.0025\"}} 0"),
            format!("adsum_gateway_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 2"),
            format!("adsum_gateway_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2"),
            format!("adsum_gateway_request_duration_seconds_count{{{labels}}} 2"),
            format!("adsum_gateway_errors_total{{{labels},code=\"deadline\"}} 2"),
        ] {
            assert!(text.lines().any(|had| had == line), "{line}\nis not in\n{text}");
        }
    }
}
