//! HTTP/1 request framing: what may reach the parser.
