//! A backend that an agent starts: see `adsum_tests::backend` for what it answers.
//!
//! ```text
//! HOST, PORT, ADSUM_INSTANCE   given by the agent
//! BACKEND_FOLDER=DIR           where its ledger is, and the file `mood` that all of them share
//! BACKEND_IDLE=AFTER:JITTER:WIRE   milliseconds: when it closes idle connections
//! ```
//!
//! SIGTERM ends it at once, whatever it is at: a request that it still has then fails, and the test sees it.

use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::backend::{Idle, Ledger, Settings, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let folder = PathBuf::from(setting("BACKEND_FOLDER"));
    let name = setting("ADSUM_INSTANCE");
    let ledger = Ledger::create(&folder, &name)?;
    let witness = Ledger::create(&folder, &name)?;
    let idle = idle(&setting("BACKEND_IDLE"));
    let listener = TcpListener::bind(format!("{}:{}", setting("HOST"), setting("PORT"))).await?;
    tokio::spawn(serve(listener, Settings { name, ledger, mood: Some(folder.join("mood")), idle }));
    terminated.recv().await;
    witness.note("terminated");
    Ok(())
}

fn idle(text: &str) -> Option<Idle> {
    let mut parts = text.split(':').map(|part| part.parse().ok().map(Duration::from_millis));
    let mut part = || parts.next().flatten();
    Some(Idle { after: part()?, jitter: part()?, wire: part()? })
}

fn setting(key: &str) -> String {
    std::env::var(key).unwrap_or_default()
}
