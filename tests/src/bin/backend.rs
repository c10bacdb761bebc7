//! A backend that an agent starts: see `adsum_tests::backend` for what it answers.
//!
//! ```text
//! HOST, PORT, ADSUM_INSTANCE   given by the agent; HOST is 127.0.0.1 where nobody gives it
//! BACKEND_FOLDER=DIR           where its ledger is, and the file `mood` that all of them share
//! BACKEND_IDLE=AFTER:JITTER:WIRE   milliseconds: when it closes idle connections
//! BACKEND_MOOD=MOOD            its mood as long as there is no such file
//! BACKEND_SIGTERM=ignore       goes on as if nothing had been said
//! BACKEND_LINGER=MILLIS        goes on for so long when it is told to end
//! BACKEND_EXIT=MILLIS          ends with status 1 after so long
//! BACKEND_LISTEN=no            lives, and listens nowhere
//! ```
//!
//! SIGTERM ends it at once, whatever it is at: a request that it still has then fails, and the test sees it.

use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::backend::{Idle, Ledger, Settings, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let terminated = signal(SignalKind::terminate())?;
    let folder = PathBuf::from(setting("BACKEND_FOLDER"));
    let name = setting("ADSUM_INSTANCE");
    let ledger = Ledger::create(&folder, &name)?;
    let witness = Ledger::create(&folder, &name)?;
    if setting("BACKEND_LISTEN") != "no" {
        let listener = TcpListener::bind((host(), port())).await?;
        tokio::spawn(serve(listener, settings(name, ledger, &folder)));
    }
    tokio::select! {
        () = told_to_end(terminated, &witness) => Ok(()),
        () = breakdown() => {
            eprintln!("cannot go on: the disk of this version is square");
            std::process::exit(1)
        }
    }
}

fn settings(name: String, ledger: Ledger, folder: &std::path::Path) -> Settings {
    let (mood, own_mood) = (Some(folder.join("mood")), setting("BACKEND_MOOD"));
    Settings { name, ledger, mood, own_mood, idle: idle(&setting("BACKEND_IDLE")) }
}

async fn told_to_end(mut terminated: Signal, witness: &Ledger) {
    loop {
        terminated.recv().await;
        if setting("BACKEND_SIGTERM") != "ignore" {
            break;
        }
        witness.note("ignored");
    }
    witness.note("terminated");
    tokio::time::sleep(millis("BACKEND_LINGER").unwrap_or_default()).await;
}

/// Never, unless a setting says when.
async fn breakdown() {
    match millis("BACKEND_EXIT") {
        Some(after) => tokio::time::sleep(after).await,
        None => std::future::pending().await,
    }
}

fn millis(key: &str) -> Option<Duration> {
    setting(key).parse().ok().map(Duration::from_millis)
}

fn idle(text: &str) -> Option<Idle> {
    let mut parts = text.split(':').map(|part| part.parse().ok().map(Duration::from_millis));
    let mut part = || parts.next().flatten();
    Some(Idle { after: part()?, jitter: part()?, wire: part()? })
}

fn host() -> String {
    Some(setting("HOST")).filter(|host| !host.is_empty()).unwrap_or_else(|| "127.0.0.1".to_string())
}

fn port() -> u16 {
    setting("PORT").parse().expect("PORT is a number")
}

fn setting(key: &str) -> String {
    std::env::var(key).unwrap_or_default()
}
