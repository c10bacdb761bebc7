//! CLIENT TRACKING and what goes with it. <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use std::collections::BTreeSet;

use adsum_keyspace::Blob;

use crate::command::Call;
use crate::limits;
use crate::number::integer;
use crate::refusal::{Answer, Refusal};
use crate::tracking::{Mode, Options, Tracked};

/// What a request says, before it is looked at whether that goes together.
#[derive(Default)]
struct Said<'a> {
    redirect: Option<u64>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
pub(super) fn tracking(call: &mut Call<'_>) -> Answer {
    let said = Said::parse(call)?;
    let client = call.session.client.clone();
    match call.args[2].to_ascii_uppercase().as_slice() {
        b"ON" => {
            let before = call.server.tracking.of(client.id);
            let options = said.options(before)?;
            call.server.tracking.turn_on(&client, options);
        }
        b"OFF" => call.server.tracking.turn_off(client.id),
        _ => return Err(Refusal::Syntax),
    }
    call.out.ok();
    Ok(())
}

impl<'a> Said<'a> {
    fn parse(call: &Call<'a>) -> Result<Said<'a>, Refusal> {
        let mut said = Said::default();
        let mut words = call.args[3..].iter();
        while let Some(word) = words.next() {
            match word.to_ascii_uppercase().as_slice() {
                b"REDIRECT" => said.redirect(words.next().ok_or(Refusal::Syntax)?, call)?,
                b"PREFIX" => said.prefixes.push(words.next().ok_or(Refusal::Syntax)?),
                b"BCAST" => said.broadcast = true,
                b"OPTIN" => said.opt_in = true,
                b"OPTOUT" => said.opt_out = true,
                b"NOLOOP" => said.no_loop = true,
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(said)
    }

    fn redirect(&mut self, word: &[u8], call: &Call<'_>) -> Answer {
        if self.redirect.is_some() {
            return Err(Refusal::Says("A client can only redirect to a single other client"));
        }
        let id = u64::try_from(integer(word)?).ok();
        let known = id.filter(|id| call.server.clients.by_id.contains_key(id));
        let unknown = Refusal::Says("The client ID you want redirect to does not exist");
        self.redirect = Some(known.ok_or(unknown)?);
        Ok(())
    }

    fn options(self, before: Option<&Tracked>) -> Result<Options, Refusal> {
        let before = before.map(|tracked| &tracked.options.mode);
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(Refusal::Says("PREFIX option requires BCAST mode to be enabled"));
        }
        if before.is_some_and(|mode| self.broadcast != matches!(mode, Mode::Broadcast(_))) {
            return Err(Refusal::Says(
                "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
            ));
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(Refusal::Says("OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.opt_in && self.opt_out {
            return Err(Refusal::Says("You can't specify both OPTIN mode and OPTOUT mode"));
        }
        if matches!(
            (before, self.opt_in, self.opt_out),
            (Some(Mode::OptOut), true, _) | (Some(Mode::OptIn), _, true)
        ) {
            return Err(Refusal::Says(
                "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
            ));
        }
        let mode = match (self.broadcast, self.opt_in, self.opt_out) {
            (true, ..) => Mode::Broadcast(self.prefixes(before)?),
            (_, true, _) => Mode::OptIn,
            (_, _, true) => Mode::OptOut,
            (false, false, false) => Mode::Read,
        };
        Ok(Options { mode, no_loop: self.no_loop, redirect: self.redirect })
    }

    /// Those that the client has, and the new ones; without any, one that all keys are under.
    fn prefixes(&self, before: Option<&Mode>) -> Result<BTreeSet<Blob>, Refusal> {
        // Before each is compared with each.
        check_size(self.prefixes.iter().map(|prefix| prefix.len()))?;
        let mut all = match before {
            Some(Mode::Broadcast(prefixes)) => prefixes.clone(),
            _ => BTreeSet::new(),
        };
        for (at, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = all.iter().find(|other| overlap(prefix, other)) {
                return Err(overlaps(prefix, "an existing", other));
            }
            if let Some(other) = self.prefixes[at + 1..].iter().find(|other| overlap(prefix, other)) {
                return Err(overlaps(prefix, "another provided", other));
            }
        }
        if self.prefixes.is_empty() {
            all.insert(Blob::from(""));
        }
        all.extend(self.prefixes.iter().map(|prefix| Blob::from(*prefix)));
        check_size(all.iter().map(|prefix| prefix.len()))?;
        Ok(all)
    }
}

/// Whether a client may track as many prefixes, of which these are the lengths.
fn check_size(lengths: impl ExactSizeIterator<Item = usize>) -> Answer {
    let (count, bytes) = (limits::PREFIXES, limits::PREFIX_BYTES);
    if lengths.len() > count || lengths.sum::<usize>() > bytes {
        return Err(Refusal::Told(format!(
            "ERR a client can track {count} prefixes of {bytes} bytes at most"
        )));
    }
    Ok(())
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlaps(prefix: &[u8], which: &str, other: &[u8]) -> Refusal {
    let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
    Refusal::Told(format!(
        "ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a single client must not overlap."
    ))
}

/// `CLIENT CACHING YES | NO`: of the request behind this one.
pub(super) fn caching(call: &mut Call<'_>) -> Answer {
    let id = call.session.id();
    let mode = call.server.tracking.of(id).map(|tracked| &tracked.options.mode);
    if !matches!(mode, Some(Mode::OptIn | Mode::OptOut)) {
        return Err(Refusal::Says(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    }
    match (call.args[2].to_ascii_uppercase().as_slice(), mode) {
        (b"YES", Some(Mode::OptIn)) | (b"NO", Some(Mode::OptOut)) => {}
        (b"YES", _) => {
            return Err(Refusal::Says(
                "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
        (b"NO", _) => {
            return Err(Refusal::Says(
                "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
        _ => return Err(Refusal::Syntax),
    }
    call.server.tracking.cache_next(id);
    call.out.ok();
    Ok(())
}

/// Whom the client has told in its place: 0 nobody, -1 when it does not track.
pub(super) fn redirect(tracked: Option<&Tracked>) -> i64 {
    tracked.map_or(-1, |tracked| tracked.options.redirect.map_or(0, |id| id as i64))
}

pub(super) fn getredir(call: &mut Call<'_>) -> Answer {
    let tracked = call.server.tracking.of(call.session.id());
    call.out.integer(redirect(tracked));
    Ok(())
}

pub(super) fn trackinginfo(call: &mut Call<'_>) -> Answer {
    let tracked = call.server.tracking.of(call.session.id());
    let flags = tracked.map_or_else(|| vec!["off"], flags);
    let out = &mut call.out;
    out.map(3);
    out.text("flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.text(flag));
    out.text("redirect");
    out.integer(redirect(tracked));
    out.text("prefixes");
    match tracked.map(|tracked| &tracked.options.mode) {
        Some(Mode::Broadcast(prefixes)) => {
            out.array(prefixes.len());
            prefixes.iter().for_each(|prefix| out.bulk(prefix));
        }
        Some(Mode::Read | Mode::OptIn | Mode::OptOut) | None => out.array(0),
    }
    Ok(())
}

fn flags(tracked: &Tracked) -> Vec<&'static str> {
    let (mode, caching) = match &tracked.options.mode {
        Mode::Read => (None, None),
        Mode::OptIn => (Some("optin"), Some("caching-yes")),
        Mode::OptOut => (Some("optout"), Some("caching-no")),
        Mode::Broadcast(_) => (Some("bcast"), None),
    };
    let all = [
        Some("on"),
        mode,
        caching.filter(|_| tracked.caching),
        Some("noloop").filter(|_| tracked.options.no_loop),
        Some("broken_redirect").filter(|_| tracked.broken),
    ];
    all.into_iter().flatten().collect()
}
