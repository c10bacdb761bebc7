//! Ports that the gateway opens for a service, as `docker service --publish` writes them.
//!
//! ```text
//! 8080                                       HTTP
//! 8080:80                                    80 is the port inside of a container
//! 8080/tcp                                   whatever it is
//! published=8080,target=80,protocol=tcp      the same in words
//! ```

use adsum_model::{Protocol, Publish};

use crate::bound;
use crate::problem::Problems;

pub(crate) fn ports(texts: Option<&[String]>, problems: &mut Problems) -> Vec<Publish> {
    let texts = texts.unwrap_or_default();
    if texts.len() > bound::PORTS {
        problems.add("publish", texts.len(), format!("is too many ports: give at most {}", bound::PORTS));
    }
    let mut ports: Vec<Publish> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let field = format!("publish[{at}]");
        match read(text) {
            Ok(publish) if ports.iter().any(|other| other.port == publish.port) => {
                problems.add(field, text, "publishes a port that is published already: leave one out");
            }
            Ok(publish) => ports.push(publish),
            Err(wrong) => problems.add(field, text, wrong),
        }
    }
    ports
}

/// In the shortest form that reads back.
pub(crate) fn print(publish: &Publish) -> String {
    let target = publish.target.map_or(String::new(), |target| format!(":{target}"));
    let protocol = match publish.protocol {
        Protocol::Http => "",
        Protocol::Tcp => "/tcp",
    };
    format!("{}{target}{protocol}", publish.port)
}

/// Whether what is to be taken away (`8080`, or more of it) means this published port.
pub fn names_port(wanted: &str, written: &str) -> bool {
    let Ok(written) = read(written) else { return false };
    let is_bare = wanted.chars().all(|letter| letter.is_ascii_digit());
    read(wanted).is_ok_and(|wanted| if is_bare { wanted.port == written.port } else { wanted == written })
}

fn read(text: &str) -> Result<Publish, String> {
    if text.contains('=') { long(text) } else { short(text) }
}

fn short(text: &str) -> Result<Publish, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "http"));
    let (published, target) =
        ports.split_once(':').map_or((ports, None), |(published, target)| (published, Some(target)));
    Ok(Publish {
        port: port(published)?,
        target: target.map(port).transpose()?,
        protocol: read_protocol(protocol)?,
    })
}

fn long(text: &str) -> Result<Publish, String> {
    let (mut published, mut target, mut protocol) = (None, None, None);
    for part in text.split(',') {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("has '{part}' without a '=': write {part}=VALUE"))?;
        let place = match key.trim() {
            "published" => &mut published,
            "target" => &mut target,
            "protocol" => &mut protocol,
            other => return Err(format!("has '{other}': known are published, target and protocol")),
        };
        if place.replace(value.trim()).is_some() {
            return Err(format!("says '{key}' twice: leave one out"));
        }
    }
    let published = published.ok_or("does not say which port is to be opened: add published=8080")?;
    Ok(Publish {
        port: port(published)?,
        target: target.map(port).transpose()?,
        protocol: read_protocol(protocol.unwrap_or("http"))?,
    })
}

fn port(text: &str) -> Result<u16, String> {
    let number = text.parse::<u16>().ok().filter(|port| bound::PORT.contains(&i64::from(*port)));
    number.ok_or_else(|| format!("has '{text}' for a port: write it like 8080, 8080:80 or 8080/tcp"))
}

fn read_protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "http" => Ok(Protocol::Http),
        "tcp" => Ok(Protocol::Tcp),
        other => Err(format!("has the protocol '{other}': give http or tcp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, port: u16, target: Option<u16>, protocol: Protocol) {
        assert_eq!(read(text), Ok(Publish { port, target, protocol }), "{text}");
    }

    #[test]
    fn a_port_is_published_in_short_or_in_long() {
        check("8080", 8080, None, Protocol::Http);
        check("8080:80", 8080, Some(80), Protocol::Http);
        check("5432/tcp", 5432, None, Protocol::Tcp);
        check("8080:80/http", 8080, Some(80), Protocol::Http);
        check("published=8080,target=80,protocol=tcp", 8080, Some(80), Protocol::Tcp);
        check("target=80, published=8080", 8080, Some(80), Protocol::Http);
    }

    #[test]
    fn what_is_no_port_is_told_so() {
        for (text, expect) in [
            ("", "has '' for a port"),
            ("0", "has '0' for a port"),
            ("70000", "has '70000' for a port"),
            ("80:", "has '' for a port"),
            ("80/udp", "has the protocol 'udp': give http or tcp"),
            ("target=80", "add published=8080"),
            ("published=80,mode=host", "has 'mode': known are"),
            ("published=80,published=81", "says 'published' twice"),
            ("published=80,target", "has 'target' without a '='"),
        ] {
            let wrong = read(text).unwrap_err();
            assert!(wrong.contains(expect), "{text}: {wrong}");
        }
    }

    #[test]
    fn a_port_is_published_once_and_few_are() {
        let mut problems = Problems::default();
        let texts: Vec<String> = ["80", "80/tcp"].map(String::from).into();
        assert_eq!(ports(Some(&texts), &mut problems).len(), 1);
        assert_eq!(problems.0.len(), 1);
        let many: Vec<String> = (1..=21).map(|port| port.to_string()).collect();
        ports(Some(&many), &mut problems);
        assert!(problems.0[1].to_string().contains("at most 20"), "{:?}", problems.0);
    }

    #[test]
    fn a_port_is_named_by_its_number_or_by_all_of_it() {
        assert!(names_port("8080", "8080:80/tcp"));
        assert!(names_port("published=8080,target=80,protocol=tcp", "8080:80/tcp"));
        assert!(!names_port("8080:81", "8080:80"));
        assert!(!names_port("80", "8080:80"));
        assert!(!names_port("", "8080"));
    }
}
