//! The WebSocket of a backend: it echoes, and notes how it ended.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Settings;

pub(super) async fn echo(stream: TcpStream, settings: &Settings) {
    settings.ledger.note("ws-open");
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut end = "ws-cut".to_string();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            // The library answers it by itself while it is read on.
            Message::Close(frame) => {
                let code = frame.map_or(1005, |frame| u16::from(frame.code));
                end = format!("ws-closed {code}");
            }
            Message::Text(_) | Message::Binary(_) => {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => (),
        }
    }
    settings.ledger.note(&end);
}
