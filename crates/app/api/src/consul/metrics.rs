//! `GET /v1/agent/metrics`: what `/metrics` tells, in Consul's own JSON unless `?format=prometheus` asks for that very text.
//!
//! Consul counts anew every ten seconds; here everything counts from the start of the agent, rates included. What of that
//! form cannot be told from totals (the least, the most, the deviation) is left out.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adsum_runtime::rfc3339;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::answer;
use crate::query::Query;
use crate::{ApiState, own};

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    timestamp: String,
    gauges: Vec<Gauge>,
    points: [u8; 0],
    counters: Vec<Series>,
    samples: Vec<Series>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gauge {
    name: String,
    value: f64,
    labels: Labels,
}

/// A counter, or what was measured so many times.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    name: String,
    count: u64,
    sum: f64,
    /// Of the sum, per second.
    rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    labels: Labels,
}

type Labels = BTreeMap<String, String>;

pub(crate) async fn get(state: State<ApiState>, query: Query) -> Response {
    if query.text("format").as_deref() == Some("prometheus") {
        return own::metrics::get(state).await;
    }
    let mut told = told(&state.routing.metrics(), state.about.started.elapsed());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = rfc3339(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    told.timestamp = format!("{} {} +0000 UTC", &now[..10], &now[11..19]);
    answer::json(query.asks("pretty"), &told)
}

/// From the text form (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
fn told(text: &str, age: Duration) -> Told {
    let seconds = age.as_secs_f64().max(1.0);
    let (mut told, mut kind) = (Told::default(), "");
    let mut sums: BTreeMap<(String, Labels), f64> = BTreeMap::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            kind = family.rsplit(' ').next().unwrap_or_default();
        }
        let Some((name, labels, value)) = sample(line) else { continue };
        let name_of = |suffix: &str| name.strip_suffix(suffix).map(str::to_string);
        match kind {
            "gauge" => told.gauges.push(Gauge { name, value, labels }),
            "counter" => told.counters.push(Series {
                name,
                count: value as u64,
                sum: value,
                rate: value / seconds,
                mean: None,
                labels,
            }),
            _ => match (name_of("_sum"), name_of("_count")) {
                (Some(name), _) => drop(sums.insert((name, labels), value)),
                (None, Some(name)) => {
                    let sum = sums.remove(&(name.clone(), labels.clone())).unwrap_or(0.0);
                    let mean = Some(sum / value).filter(|mean| mean.is_finite());
                    told.samples.push(Series {
                        name,
                        count: value as u64,
                        sum,
                        rate: sum / seconds,
                        mean,
                        labels,
                    });
                }
                (None, None) => {}
            },
        }
    }
    told
}

/// `name{label="value"} 7`; none of a comment.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return Some((series.to_string(), Labels::new(), value));
    };
    let mut labels = Labels::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (text, after) = unquoted(quoted)?;
        labels.insert(label.to_string(), text);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some((name.to_string(), labels, value))
}

/// The text up to its quotation mark, and what follows that.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total Some.\n# TYPE a_total counter\na_total{s=\"x\\\"y,z\",r=\"1\"} 30\n# TYPE b gauge\nb 7\n\
        # TYPE c histogram\nc_bucket{s=\"x\",le=\"1\"} 2\nc_sum{s=\"x\"} 5\nc_count{s=\"x\"} 4\n";

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_prometheus_reads_is_told_in_the_other_form() {
        let told = told(TEXT, Duration::from_secs(10));
        let counter = Series {
            name: "a_total".into(),
            count: 30,
            sum: 30.0,
            rate: 3.0,
            mean: None,
            labels: labels(&[("r", "1"), ("s", "x\"y,z")]),
        };
        let sample = Series {
            name: "c".into(),
            count: 4,
            sum: 5.0,
            rate: 0.5,
            mean: Some(1.25),
            labels: labels(&[("s", "x")]),
        };
        assert_eq!((told.counters, told.samples), (vec![counter], vec![sample]));
        assert_eq!(told.gauges, [Gauge { name: "b".into(), value: 7.0, labels: Labels::new() }]);
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["", "# a 1", "a", "a x", "a{b=\"c} 1", "a{b=\"c\" 1"] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
