//! A bank without transactions: a transfer is made by compare and write, account by account, and the sum holds in
//! every snapshot.
//!
//! ```text
//!                        balance out     received
//! one begins   a: 100       ->    70  30 to b, no. 7
//! anybody      b: 100       ->   130              a: 7     only if it has not received no. 7 of a
//! anybody      a:  70            70  -
//! ```
//!
//! In between, the 30 are on their way: they belong to the sum while a has sent them and b has not received them. A
//! client that is cut off leaves them there, and whoever comes next finishes it. Every step changes the whole text of an
//! account, and no text comes twice, since the numbers only grow.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use adsum_history::sample::Chance;
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, http, rounds};
use serde_json::Value;

use crate::fault::{Clients, Fault};
use crate::stage::{SOON, Stage};

const ACCOUNTS: usize = 4;
const EACH: u64 = 1_000;
const TELLERS: usize = 6;
/// Two that look, and an impatient teller.
const CLIENTS: Clients = Clients { all: TELLERS + 2, impatient: 0 };

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    balance: u64,
    /// How many transfers it has begun.
    sent: u64,
    out: Option<Transfer>,
    /// By sender, the number of the last transfer that has come.
    received: [u64; ACCOUNTS],
}

/// The last that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transfer {
    to: usize,
    amount: u64,
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transfer { to, amount } = self.out.unwrap_or(Transfer { to: 0, amount: 0 });
        write!(out, "{} {} {to} {amount}", self.balance, self.sent)?;
        self.received.iter().try_for_each(|number| write!(out, " {number}"))
    }
}

impl Account {
    fn parse(text: &str) -> Account {
        let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
        let transfer = Transfer { to: usize::try_from(numbers[2]).unwrap(), amount: numbers[3] };
        Account {
            balance: numbers[0],
            sent: numbers[1],
            out: (transfer.amount > 0).then_some(transfer),
            received: numbers[4..].try_into().unwrap(),
        }
    }
}

fn key(account: usize) -> String {
    format!("bank/{account}")
}

/// What all have, and what is on its way.
fn sum(accounts: &[Account]) -> u64 {
    let on_its_way = |(from, account): (usize, &Account)| {
        let transfer = account.out.filter(|transfer| accounts[transfer.to].received[from] < account.sent);
        transfer.map_or(0, |transfer| transfer.amount)
    };
    let balances: u64 = accounts.iter().map(|account| account.balance).sum();
    balances + accounts.iter().enumerate().map(on_its_way).sum::<u64>()
}

#[derive(Default)]
struct Seen {
    transfers: AtomicU64,
    snapshots: AtomicU64,
    /// The control: sums that were wrong because the accounts were read one by one.
    torn: AtomicU64,
}

impl Seen {
    /// One step of a transfer: begins one, or brings the one that is under way further.
    fn transfer(&self, connection: &mut Connection, chance: &mut Chance) -> std::io::Result<()> {
        let accounts = snapshot(connection)?;
        assert_eq!(sum(&accounts), EACH * ACCOUNTS as u64, "{accounts:?}");
        let from = usize::try_from(chance.below(ACCOUNTS as u64)).unwrap();
        let before = &accounts[from];
        let Some(transfer) = before.out else { return begin(connection, from, before, chance) };
        let receiver = &accounts[transfer.to];
        if receiver.received[from] < before.sent {
            let mut after = receiver.clone();
            after.balance += transfer.amount;
            after.received[from] = before.sent;
            compare(connection, transfer.to, receiver, &after)?;
        } else if compare(connection, from, before, &Account { out: None, ..before.clone() })? {
            self.transfers.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Snapshots over both faces, and as the control accounts one by one.
    fn look(&self, stage: &Stage, connection: &mut Connection) -> std::io::Result<()> {
        for accounts in [snapshot(connection)?, transaction(connection)?, snapshot_over_http(stage)?] {
            assert_eq!(sum(&accounts), EACH * ACCOUNTS as u64, "{accounts:?}");
            self.snapshots.fetch_add(1, Ordering::Relaxed);
        }
        let one = |account| Ok(Account::parse(&text(connection.ask(&["GET", &key(account)])?)));
        let accounts: Vec<Account> = (0..ACCOUNTS).map(one).collect::<std::io::Result<_>>()?;
        if sum(&accounts) != EACH * ACCOUNTS as u64 {
            self.torn.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn begin(
    connection: &mut Connection,
    from: usize,
    before: &Account,
    chance: &mut Chance,
) -> std::io::Result<()> {
    let to = (from + 1 + usize::try_from(chance.below(ACCOUNTS as u64 - 1)).unwrap()) % ACCOUNTS;
    let amount = (1 + chance.below(50)).min(before.balance);
    if amount > 0 {
        let (balance, sent) = (before.balance - amount, before.sent + 1);
        let after = Account { balance, sent, out: Some(Transfer { to, amount }), ..before.clone() };
        compare(connection, from, before, &after)?;
    }
    Ok(())
}

fn compare(
    connection: &mut Connection,
    account: usize,
    before: &Account,
    after: &Account,
) -> std::io::Result<bool> {
    let (before, after) = (before.to_string(), after.to_string());
    Ok(connection.ask(&["SET", &key(account), &after, "IFEQ", &before])? != Reply::Nil)
}

fn snapshot(connection: &mut Connection) -> std::io::Result<Vec<Account>> {
    let keys: Vec<String> = (0..ACCOUNTS).map(key).collect();
    let mut command = vec!["MGET"];
    command.extend(keys.iter().map(String::as_str));
    let Reply::List(texts) = connection.ask(&command)? else { panic!("MGET answers a list") };
    Ok(texts.into_iter().map(|reply| Account::parse(&text(reply))).collect())
}

/// The accounts one by one, but in one transaction.
fn transaction(connection: &mut Connection) -> std::io::Result<Vec<Account>> {
    connection.ask(&["MULTI"])?;
    for account in 0..ACCOUNTS {
        connection.ask(&["GET", &key(account)])?;
    }
    let Reply::List(texts) = connection.ask(&["EXEC"])? else { panic!("EXEC answers a list") };
    Ok(texts.into_iter().map(|reply| Account::parse(&text(reply))).collect())
}

fn snapshot_over_http(stage: &Stage) -> std::io::Result<Vec<Account>> {
    let response = http::get(stage.http, "/v1/kv/bank/?recurse")?;
    let entries: Vec<Value> = serde_json::from_str(&response.body)?;
    let value = |entry: &Value| Account::parse(&decoded(entry["Value"].as_str().unwrap()));
    Ok(entries.iter().map(value).collect())
}

/// Base64 of plain text.
fn decoded(text: &str) -> String {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let bytes = bits.chunks(4).flat_map(|four| {
        let word = four.iter().fold(0_u32, |word, digit| word << 6 | u32::from(*digit));
        let word = word << (6 * (4 - four.len()));
        word.to_be_bytes().into_iter().skip(1).take(four.len() - 1)
    });
    String::from_utf8(bytes.collect()).unwrap()
}

fn text(reply: Reply) -> String {
    match reply {
        Reply::Text(text) => text,
        other => panic!("no account: {other:?}"),
    }
}

#[test]
fn the_sum_holds_in_every_snapshot_over_kills() {
    let mut agent = Agent::start();
    let stage = Stage::new(&agent);
    let mut connection = stage.connect(SOON);
    for account in 0..ACCOUNTS {
        let account = (key(account), Account { balance: EACH, ..Account::default() }.to_string());
        connection.ask(&["SET", &account.0, &account.1]).unwrap();
    }
    let seen = Seen::default();
    let rounds = rounds(4, 200);
    for round in 0..rounds {
        round_of_transfers(&mut agent, &seen, round);
    }
    let [transfers, snapshots, torn] =
        [&seen.transfers, &seen.snapshots, &seen.torn].map(|count| count.load(Ordering::Relaxed));
    println!(
        "{rounds} kills: {transfers} transfers, {snapshots} snapshots, {torn} sums wrong when read one by one"
    );
    assert!(transfers > 0 && snapshots > 0);
    assert!(torn > 0, "sums read account by account were right too, so the snapshots say nothing");
}

fn round_of_transfers(agent: &mut Agent, seen: &Seen, round: u32) {
    let stage = Stage::new(agent);
    let client = |number: usize| -> Box<dyn FnOnce() + Send + '_> {
        let stage = &stage;
        let mut chance = Chance(u64::from(round) << 32 | number as u64);
        if number < TELLERS {
            Box::new(move || stage.repeat(|connection| seen.transfer(connection, &mut chance)))
        } else {
            Box::new(move || stage.repeat(|connection| seen.look(stage, connection)))
        }
    };
    let clients = (0..CLIENTS.all).map(client).collect();
    stage.run(clients, || {
        stage.work(300);
        Fault::Kill.strike(agent, &stage, CLIENTS, |_| 0);
        stage.work(300);
    });
}
