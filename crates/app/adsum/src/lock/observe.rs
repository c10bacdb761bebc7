//! `adsum lock --observe`: who holds a lock, now and from then on.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Call, Client, Outcome, Path, Watch};
use crate::listing::Format;
use crate::screen::print_line;

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    owner: String,
    fence: u64,
}

/// The lock as it is known, and where to tell of it.
struct Observer<'a> {
    key: &'a str,
    format: Format,
    holder: Option<Holder>,
}

/// Prints the holder, then every change, until the agent stays away.
pub(super) async fn run(key: &str, format: Format, client: &Client) -> Outcome {
    let mut observer = Observer { key, format, holder: None };
    let mut watch = Watch::new(client, key, None);
    let mut first = true;
    loop {
        let revision = watch.begin().await?;
        let holder = read(client, key, revision).await?;
        if first || holder != observer.holder {
            observer.tell(holder, revision)?;
        }
        first = false;
        loop {
            let message = watch.next().await?;
            if let Some(error) = message.compacted() {
                eprintln!("note: changes may be missing: {error}");
                break;
            }
            observer.see(&message.json()?)?;
        }
        watch.forget();
    }
}

async fn read(client: &Client, key: &str, revision: u64) -> anyhow::Result<Option<Holder>> {
    let path = Path::of(&["api", "kv", "value"]).query("key", key).query("rev", revision);
    match client.send(Call::new(Method::GET, path)).await {
        Ok(answer) => {
            let json = answer.json()?;
            let fence = json["created"].as_u64().unwrap_or_default();
            Ok(Some(Holder { owner: owner(&json), fence }))
        }
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The value of the key, in whatever form.
fn owner(json: &Value) -> String {
    let text = json.get("value").or(json.get("value_base64"));
    text.map_or_else(String::new, |text| text.as_str().map_or_else(|| text.to_string(), str::to_string))
}

impl Observer<'_> {
    /// Takes a change in, and tells of it when there is another holder.
    fn see(&mut self, change: &Value) -> anyhow::Result<()> {
        let revision = change["revision"].as_u64().unwrap_or_default();
        if let Some(holder) = self.after(change, revision)
            && holder != self.holder
        {
            self.tell(holder, revision)?;
        }
        Ok(())
    }

    /// Who holds the lock after a change; None when that has nothing to do with it.
    fn after(&self, change: &Value, revision: u64) -> Option<Option<Holder>> {
        let cleared = change["event"] == "flushdb";
        if change["key"] != self.key && !cleared {
            return None;
        }
        if change.get("value").is_some() || change.get("value_base64").is_some() {
            // The fence is the revision that made the key: a value in place of another changes nothing of that.
            let fence = self.holder.as_ref().map_or(revision, |holder| holder.fence);
            return Some(Some(Holder { owner: owner(change), fence }));
        }
        let gone = change.get("delta").is_none() && change.get("expires").is_none();
        (cleared || gone).then_some(None)
    }

    fn tell(&mut self, holder: Option<Holder>, revision: u64) -> anyhow::Result<()> {
        self.holder = holder;
        Ok(print_line(&self.line(revision))?)
    }

    fn line(&self, revision: u64) -> String {
        match (&self.holder, self.format) {
            (Some(Holder { owner, fence }), Format::Table) => {
                format!("held {} fence {fence}", owner.replace(char::is_control, " "))
            }
            (None, Format::Table) => "free".to_string(),
            (Some(Holder { owner, fence }), Format::Json) => {
                json!({"held": true, "owner": owner, "fence": fence, "revision": revision}).to_string()
            }
            (None, Format::Json) => json!({"held": false, "revision": revision}).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_with_the_revision_that_made_the_key() {
        let mut observer = Observer { key: "/l", format: Format::Table, holder: None };
        let mut lines = Vec::new();
        let changes = [
            json!({"event": "set", "key": "/l", "value": "a", "expires": 5, "revision": 7}),
            json!({"event": "expire", "key": "/l", "expires": 9, "revision": 8}),
            json!({"event": "set", "key": "/lx", "value": "c", "revision": 9}),
            json!({"event": "set", "key": "/l", "value": "b", "revision": 10}),
            json!({"event": "persist", "key": "/l", "expires": null, "revision": 11}),
            json!({"event": "del", "key": "/l", "revision": 12}),
            json!({"event": "set", "key": "/l", "value_base64": "/w==", "revision": 13}),
            json!({"event": "flushdb", "key": "", "revision": 14}),
        ];
        for change in &changes {
            let revision = change["revision"].as_u64().unwrap();
            if let Some(holder) = observer.after(change, revision)
                && holder != observer.holder
            {
                observer.holder = holder;
                lines.push(observer.line(revision));
            }
        }
        assert_eq!(lines, ["held a fence 7", "held b fence 7", "free", "held /w== fence 13", "free"]);
    }
}
