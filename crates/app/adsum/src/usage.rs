//! Wrong usage that only shows when several arguments are seen together. Exit code 2.

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A duration as an argument.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, adsum_model::ParseDurationError> {
    adsum_model::parse_duration(text)
}
