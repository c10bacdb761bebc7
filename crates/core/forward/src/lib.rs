//! What a message looks like on its other side: forwarding headers, trace context, the errors of the gateway, frame boundaries.

mod accept;
mod error;

pub use error::{ErrorAnswer, GatewayError, X_GATEWAY_ERROR};
