//! What a client did wrong, what it is answered, and the sentence that tells it.

/// Why a request, or the rest of its body, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    // The request line.
    NotHttp,
    TlsOnPlainPort,
    LeadingWhitespace,
    InvalidMethod,
    InvalidTarget,
    TargetTooLong,
    InvalidVersion,
    UnsupportedVersion,
    // Lines and fields.
    BareLineFeed,
    BareCarriageReturn,
    FoldedLine,
    InvalidFieldName,
    SpaceBeforeColon,
    InvalidFieldValue,
    HeadTooLarge,
    TooManyFields,
    // Whom the request is for.
    MissingHost,
    SeveralHosts,
    InvalidHost,
    HostContradictsTarget,
    // How long the request is.
    LengthAndEncoding,
    SeveralLengths,
    InvalidLength,
    SeveralEncodings,
    InvalidEncoding,
    UnknownEncoding,
    EncodingInHttp10,
    ContentInConnect,
    UnknownExpectation,
    // The body.
    InvalidChunkSize,
    InvalidChunkExtension,
    ChunkLineTooLong,
    ChunkWithoutEnd,
    ForbiddenTrailer,
}

impl Offence {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::UnknownExpectation => 417,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::UnknownEncoding => 501,
            Self::UnsupportedVersion => 505,
            _ => 400,
        }
    }

    /// What was wrong, in words for whoever wrote the client.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotHttp => "what was sent is not HTTP/1",
            Self::TlsOnPlainPort => {
                "TLS was sent to a port that speaks plain HTTP: use http://, or the TLS port"
            }
            Self::LeadingWhitespace => "whitespace before the request line",
            Self::InvalidMethod => "the method is not a token of at most 32 letters",
            Self::InvalidTarget => {
                "the request target is not a path, an http(s) URL, or what its method asks for"
            }
            Self::TargetTooLong => "the request target is too long",
            Self::InvalidVersion => "the request line does not end with an HTTP version",
            Self::UnsupportedVersion => "the HTTP version is neither 1.0 nor 1.1",
            Self::BareLineFeed => "a line ends with LF instead of CR LF",
            Self::BareCarriageReturn => "a CR is not followed by LF",
            Self::FoldedLine => "a field continues on the next line",
            Self::InvalidFieldName => "a field name is empty or not a token",
            Self::SpaceBeforeColon => "whitespace between a field name and its colon",
            Self::InvalidFieldValue => "a control character in a field value",
            Self::HeadTooLarge => "the fields are too large together",
            Self::TooManyFields => "too many fields",
            Self::MissingHost => "an HTTP/1.1 request without Host",
            Self::SeveralHosts => "several Host fields",
            Self::InvalidHost => "Host is not a name or address with an optional port",
            Self::HostContradictsTarget => "Host differs from the host in the request target",
            Self::LengthAndEncoding => "both Content-Length and Transfer-Encoding",
            Self::SeveralLengths => "several Content-Length values",
            Self::InvalidLength => "Content-Length is not a plain decimal number",
            Self::SeveralEncodings => "several Transfer-Encoding values, or parameters",
            Self::InvalidEncoding => "chunked is not the one and last transfer coding",
            Self::UnknownEncoding => "a transfer coding other than chunked",
            Self::EncodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Self::ContentInConnect => "CONNECT with content",
            Self::UnknownExpectation => "an expectation other than 100-continue",
            Self::InvalidChunkSize => "a chunk size is not a hexadecimal number of at most 16 digits",
            Self::InvalidChunkExtension => "a chunk extension is malformed",
            Self::ChunkLineTooLong => "the chunk extensions are too long",
            Self::ChunkWithoutEnd => "a chunk's data is not followed by CR LF",
            Self::ForbiddenTrailer => "a trailer field that belongs into the head",
        }
    }
}
