//! What a message looks like on its other side: forwarding headers, trace context, the errors of the gateway, frame boundaries.
