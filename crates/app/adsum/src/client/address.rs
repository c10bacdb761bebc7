//! Where an agent's HTTP face is.

use std::fmt;
use std::str::FromStr;

const DEFAULT_PORT: u16 = 8500;
/// Names an agent when no flag does.
const VARIABLE: &str = "ADSUM_HTTP_ADDR";

/// A host (a name or an address; IPv6 without its brackets) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseAddressError {
    #[error("'{0}' asks for TLS, which the agent does not speak: write it like 127.0.0.1:8500")]
    Tls(String),
    #[error("'{0}' is no address of an agent: write it like 127.0.0.1:8500")]
    Form(String),
}

#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE}: {0}")]
pub(crate) struct VariableError(#[from] ParseAddressError);

impl Address {
    /// The flag, else the environment, else where an agent is by default.
    pub(crate) fn choose(flag: Option<Address>) -> Result<Address, VariableError> {
        let variable = std::env::var(VARIABLE).ok();
        Address::choose_from(flag, variable.as_deref())
    }

    fn choose_from(flag: Option<Address>, variable: Option<&str>) -> Result<Address, VariableError> {
        match (flag, variable) {
            (Some(address), _) => Ok(address),
            (None, Some(text)) if !text.is_empty() => Ok(text.parse::<Address>()?),
            (None, _) => Ok(Address { host: "127.0.0.1".to_string(), port: DEFAULT_PORT }),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    /// `HOST:PORT`, `HOST`, `:PORT` or `[V6]:PORT`, with or without `http://` and a last `/`.
    fn from_str(text: &str) -> Result<Address, ParseAddressError> {
        if text.starts_with("https://") {
            return Err(ParseAddressError::Tls(text.to_string()));
        }
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        split(bare).ok_or_else(|| ParseAddressError::Form(text.to_string()))
    }
}

fn split(text: &str) -> Option<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    let host = if host.is_empty() && text.starts_with(':') { "127.0.0.1" } else { host };
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    (!host.is_empty() && host.chars().all(letters)).then(|| Address { host: host.to_string(), port })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(expect.to_string()));
    }

    #[test]
    fn an_address_reads_as_people_write_it() {
        check("127.0.0.1:8500", "127.0.0.1:8500");
        check("http://node-1.lan:80/", "node-1.lan:80");
        check("node-1", "node-1:8500");
        check(":9000", "127.0.0.1:9000");
        check("[::1]:8500", "[::1]:8500");
        check("[::1]", "[::1]:8500");
    }

    #[test]
    fn what_is_no_address_is_named_in_the_error() {
        for bad in ["", "a:b", "a b:1", "[::1", "[::1]x", "::1", "a:70000", "a/b:1"] {
            assert_eq!(bad.parse::<Address>(), Err(ParseAddressError::Form(bad.into())), "{bad}");
        }
        assert!(matches!("https://a:1".parse::<Address>(), Err(ParseAddressError::Tls(_))));
    }

    #[test]
    fn the_flag_counts_before_the_environment_and_that_before_the_default() {
        let flag: Address = "a:1".parse().unwrap();
        assert_eq!(Address::choose_from(Some(flag.clone()), Some("b:2")).unwrap(), flag);
        assert_eq!(Address::choose_from(None, Some("b:2")).unwrap().to_string(), "b:2");
        assert_eq!(Address::choose_from(None, Some("")).unwrap().to_string(), "127.0.0.1:8500");
        let error = Address::choose_from(None, Some("b:x")).unwrap_err().to_string();
        assert_eq!(error, "ADSUM_HTTP_ADDR: 'b:x' is no address of an agent: write it like 127.0.0.1:8500");
    }
}
