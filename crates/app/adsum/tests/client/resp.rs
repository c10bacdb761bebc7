//! A server of the Redis protocol that answers as a test wants, for locks that get lost.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Server {
    pub(crate) address: String,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    /// Answers each command by its words; without an answer it stays silent.
    pub(crate) fn start(
        answer: impl Fn(&[String]) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let commands = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (commands.clone(), Arc::new(answer));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (seen.clone(), answer.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &seen, &*answer));
            }
        });
        Server { address, commands }
    }

    /// The commands that begin so, joined by blanks.
    pub(crate) fn commands(&self, begin: &str) -> Vec<String> {
        let commands = self.commands.lock().unwrap();
        let commands = commands.iter().map(|words| words.join(" "));
        commands.filter(|command| command.starts_with(begin)).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Vec<String>>>,
    answer: &dyn Fn(&[String]) -> Option<&'static str>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(words) = read(&mut reader) {
        let reply = answer(&words);
        seen.lock().unwrap().push(words);
        if let Some(reply) = reply {
            stream.write_all(reply.as_bytes()).unwrap();
        }
    }
}

/// A command, whose words have no line ends. None when the client has gone.
fn read(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_string())
    };
    let count: usize = line()?.trim_start_matches('*').parse().unwrap();
    (0..count).map(|_| line().and_then(|_length| line())).collect()
}
