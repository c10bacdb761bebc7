//! A small web service for the tests to deploy: it listens where Adsum says, and does on request what services do in
//! their bad moments.
//!
//! ```text
//! GET /           its version, slot, instance and process id as text
//! GET /healthz    200; 503 while there is a file `sick` in its data directory
//! GET /exit/CODE  ends, with no answer
//!
//! WEB_EXIT=CODE         ends at once instead of listening
//! WEB_DELAY=MILLIS      listens only after that long
//! WEB_GATE=FILE         listens only when there is such a file
//! WEB_LISTEN=no         lives, and listens nowhere
//! ```
//!
//! It holds a lock in its data directory, and notes in the file `doubled` there when another process has it: how the
//! tests know that two of them lived on one slot's data at the same time.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn main() {
    println!("version {} begins", setting("VERSION"));
    if let Ok(code) = setting("WEB_EXIT").parse() {
        eprintln!("cannot go on");
        std::process::exit(code);
    }
    let _held = claim_data();
    if let Ok(delay) = setting("WEB_DELAY").parse() {
        std::thread::sleep(Duration::from_millis(delay));
    }
    let gate = setting("WEB_GATE");
    while !gate.is_empty() && !Path::new(&gate).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    while setting("WEB_LISTEN") == "no" {
        std::thread::park();
    }
    serve();
}

fn serve() {
    let address = format!("{}:{}", setting("HOST"), setting("PORT"));
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            std::process::exit(1);
        }
    };
    println!("listening on {address}");
    for stream in listener.incoming().flatten() {
        // A client that went away is none of our business.
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    if let Some(code) = path.strip_prefix("/exit/") {
        println!("told to end");
        std::process::exit(code.parse().unwrap_or(1));
    }
    let (status, body) = match path {
        "/healthz" if data("sick").exists() => ("503 Service Unavailable", "sick".to_string()),
        "/healthz" => ("200 OK", "well".to_string()),
        _ => ("200 OK", whoami()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn whoami() -> String {
    let id = std::process::id();
    format!("version {} instance {} pid {id}\n", setting("VERSION"), setting("ADSUM_INSTANCE"))
}

/// The lock, held until the end of the process.
fn claim_data() -> Option<File> {
    let lock = OpenOptions::new().create(true).append(true).open(data("lock")).ok()?;
    if lock.try_lock().is_ok() {
        return Some(lock);
    }
    // Nowhere to complain when this cannot be written either; the test then misses its positive control.
    let _ = std::fs::write(data("doubled"), format!("by process {}\n", std::process::id()));
    None
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(setting("ADSUM_DATA_DIR")).join(name)
}

fn setting(key: &str) -> String {
    std::env::var(key).unwrap_or_default()
}
