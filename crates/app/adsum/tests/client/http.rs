//! An HTTP server that answers as a test wants: with a refusal, or with a connection that breaks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `PUT /api/services/web`
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

pub(crate) enum Answer {
    Json(u16, String),
    /// The connection is closed without a word.
    Cut,
}

pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by its number, from 0.
    pub(crate) fn start(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut number = 0;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                // Whoever was ended between connecting and asking has asked for nothing.
                if request.line.is_empty() {
                    continue;
                }
                let answer = answer(number, &request);
                number += 1;
                seen.lock().unwrap().push(request);
                write(&mut stream, answer);
            }
        });
        Server { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    };
    let line = next().trim_end_matches(" HTTP/1.1").to_string();
    let headers: Vec<String> = std::iter::from_fn(|| Some(next()).filter(|line| !line.is_empty())).collect();
    let mut request = Request { line, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    reader.take(length).read_to_string(&mut request.body).unwrap();
    request
}

fn write(stream: &mut TcpStream, answer: Answer) {
    match answer {
        Answer::Cut => {}
        Answer::Json(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    }
}
