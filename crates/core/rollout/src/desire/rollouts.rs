//! Rollouts as people begin, hold and take them back.
//!
//! ```text
//! update                   Rolling 1 -> 2
//! update before its end    Superseded       Rolling 1 -> 3     (1 is still the one that was proven)
//! rollback before its end  RolledBack       Rolling 3 -> 1     (instances of 1 that still run are current again)
//! rollback after its end   Complete         Rolling 2 -> 1     and again: Rolling 1 -> 2
//! ```

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::rollout::{Cause, Rollout, Stage};
use adsum_model::{Name, Service};

use super::{Novelty, Refusal, Stands, Taken, log, present, put};

/// Ended rollouts of a service that are kept to be looked at, and to be gone back to.
pub const KEPT: usize = 10;

/// Back to where the rollout that is under way began, or, when it is over, to the version that was complete before this
/// one. Asked again it goes back to where it came from.
pub fn rollback(tx: &mut Transaction<'_>, name: &Name) -> Result<Taken, Refusal> {
    let service = present(tx, name)?;
    let last = latest(tx, &service);
    let to = match &last {
        Some(rollout) if !rollout.stage.is_final() => where_from(tx, rollout)?,
        Some(_) | None => complete_before(tx, &service),
    };
    back(tx, service, to, "by hand")
}

/// The same for a rollout that is under way or stands still, and for no other.
pub fn abort(tx: &mut Transaction<'_>, name: &Name) -> Result<Taken, Refusal> {
    let service = present(tx, name)?;
    let rollout = under_way(tx, &service, "abort")?;
    let to = where_from(tx, &rollout)?;
    back(tx, service, to, "by hand")
}

/// Nothing further is replaced until it is resumed. What a slot has begun is finished.
pub fn pause(tx: &mut Transaction<'_>, name: &Name) -> Result<Taken, Refusal> {
    let service = present(tx, name)?;
    let rollout = under_way(tx, &service, "pause")?;
    if rollout.stage == Stage::Paused {
        return Ok(Taken { service, what: Novelty::Nothing });
    }
    turn(tx, service, rollout, Stage::Paused, Some("paused by hand"))
}

/// Goes on with what a pause, by hand or after a failure, has held.
pub fn resume(tx: &mut Transaction<'_>, name: &Name) -> Result<Taken, Refusal> {
    let service = present(tx, name)?;
    let rollout = under_way(tx, &service, "resume")?;
    if rollout.stage != Stage::Paused {
        return Ok(Taken { service, what: Novelty::Nothing });
    }
    turn(tx, service, rollout, Stage::Rolling, None)
}

/// Back to where the rollout that is under way began, since it has failed. Nothing when there is no way back.
pub fn roll_back(tx: &mut Transaction<'_>, service: Service, why: &str) -> Option<Service> {
    let from = latest(tx, &service).filter(|rollout| !rollout.stage.is_final())?.from;
    go_back(tx, service, from, true, why).ok().map(|taken| taken.service)
}

/// The version that a new wish would be gone back from to: the last one that was proven.
pub(super) fn base(tx: &mut Transaction<'_>, service: &Service) -> Option<u32> {
    // Of before there were rollouts: what runs is what is known.
    let Some(last) = latest(tx, service) else { return Some(service.version) };
    let is_way_back = matches!(last.cause, Cause::RolledBack { .. });
    let has_arrived = is_complete(&last) || (is_way_back && last.proven.is_some());
    if has_arrived { Some(last.to) } else { last.from }
}

/// Rolled out, and proven by instances: without any instance a rollout is complete and has shown nothing.
fn is_complete(rollout: &Rollout) -> bool {
    rollout.stage == Stage::Complete && (rollout.proven.is_some() || rollout.from.is_none())
}

/// Begins the first rollout of a service.
pub(super) fn begin(tx: &mut Transaction<'_>, service: &mut Service, cause: Cause) {
    begin_from(tx, service, cause, None);
}

/// Begins to roll out the service's version, in place of whatever was under way.
pub(super) fn begin_from(
    tx: &mut Transaction<'_>,
    service: &mut Service,
    cause: Cause,
    from: Option<u32>,
) -> Rollout {
    match &cause {
        Cause::RolledBack { automatic: true, .. } => end(tx, service, Stage::RolledBack, "taken back"),
        Cause::RolledBack { automatic: false, .. } => {
            end(tx, service, Stage::RolledBack, "taken back by hand");
        }
        Cause::Created | Cause::Updated | Cause::Restarted => {
            end(tx, service, Stage::Superseded, "a newer wish came before its end");
        }
    }
    service.rollout += 1;
    let now = tx.now();
    let rollout = Rollout {
        service: service.spec.name.clone(),
        number: service.rollout,
        cause,
        from,
        to: service.version,
        stage: Stage::Rolling,
        reason: None,
        by_hand: false,
        failures: Vec::new(),
        answered: 0,
        log: Vec::new(),
        began: now.wall,
        tick: now.tick,
        ended: None,
        since: now.tick,
        proven: None,
        receipt: None,
    };
    records::put_rollout(tx, &rollout);
    forget_oldest(tx, &service.spec.name);
    rollout
}

/// Ends the rollout that is under way, if one is.
pub(super) fn end(tx: &mut Transaction<'_>, service: &Service, stage: Stage, why: &str) {
    let Some(mut rollout) = latest(tx, service).filter(|rollout| !rollout.stage.is_final()) else { return };
    rollout.stage = stage;
    // Why it failed says more than that it was taken back; that somebody had it stand still does not.
    if std::mem::take(&mut rollout.by_hand) {
        rollout.reason = None;
    }
    rollout.reason.get_or_insert_with(|| why.to_string());
    rollout.ended = Some(tx.now().wall);
    rollout.since = tx.now().tick;
    records::put_rollout(tx, &rollout);
}

fn latest(tx: &mut Transaction<'_>, service: &Service) -> Option<Rollout> {
    records::rollout(tx, &service.spec.name, service.rollout)
}

fn under_way(tx: &mut Transaction<'_>, service: &Service, verb: &'static str) -> Result<Rollout, Refusal> {
    let stands = match latest(tx, service) {
        Some(rollout) if !rollout.stage.is_final() => return Ok(rollout),
        Some(rollout) => Stands::At { number: rollout.number, stage: rollout.stage },
        None => Stands::Never,
    };
    Err(Refusal::NotUnderWay { service: service.spec.name.clone(), verb, stands })
}

/// Where a rollout that is under way is taken back to. One that goes back already is not turned round, as it would end at
/// what was left for its failures, unless a person has it leave a version that was complete.
fn where_from(tx: &mut Transaction<'_>, rollout: &Rollout) -> Result<Option<u32>, Refusal> {
    if let Cause::RolledBack { of, automatic } = rollout.cause {
        let left = records::rollout(tx, &rollout.service, of);
        let was_complete = left.is_some_and(|left| left.stage == Stage::Complete);
        if automatic || !was_complete {
            return Err(Refusal::BackAlready { service: rollout.service.clone(), version: rollout.to });
        }
    }
    Ok(rollout.from)
}

/// The newest version that was rolled out completely and is not the current one.
fn complete_before(tx: &mut Transaction<'_>, service: &Service) -> Option<u32> {
    let rollouts = records::rollouts(tx, &service.spec.name);
    let complete = rollouts.into_iter().rev().filter(is_complete);
    complete.map(|rollout| rollout.to).find(|version| *version != service.version)
}

fn turn(
    tx: &mut Transaction<'_>,
    mut service: Service,
    mut rollout: Rollout,
    stage: Stage,
    reason: Option<&str>,
) -> Result<Taken, Refusal> {
    rollout.stage = stage;
    rollout.by_hand = stage == Stage::Paused;
    rollout.reason = reason.map(str::to_string);
    rollout.since = tx.now().tick;
    records::put_rollout(tx, &rollout);
    put(tx, &mut service);
    let (kind, verb) = match stage {
        Stage::Paused => ("rollout-paused", "stands still: paused by hand"),
        _ => ("rollout-resumed", "goes on"),
    };
    let what = format!("rollout {} to version {} {verb}", rollout.number, rollout.to);
    log(tx, kind, &service, what);
    Ok(Taken { service, what: Novelty::Changed })
}

fn back(tx: &mut Transaction<'_>, service: Service, to: Option<u32>, why: &str) -> Result<Taken, Refusal> {
    go_back(tx, service, to, false, why)
}

/// Makes an earlier version the wish again, with what makes a version; everything else stays as it is wished now.
fn go_back(
    tx: &mut Transaction<'_>,
    mut service: Service,
    to: Option<u32>,
    automatic: bool,
    why: &str,
) -> Result<Taken, Refusal> {
    let name = service.spec.name.clone();
    let refusal = Refusal::NoEarlier { service: name.clone(), version: service.version };
    let version = to.and_then(|to| records::version(tx, &name, to)).ok_or(refusal)?;
    let (base, left) = (base(tx, &service), service.version);
    service.newest_version = service.newest_version.max(left);
    service.version = version.number;
    service.spec.task = version.task;
    service.spec.check = version.check;
    service.spec.routing.policy.upstream = version.upstream;
    // Back to what was never given up: the way is from what is left, and there is nothing to prove.
    let is_proven = base == Some(version.number);
    let cause = Cause::RolledBack { of: service.rollout, automatic };
    let from = if is_proven { Some(left) } else { base };
    let mut rollout = begin_from(tx, &mut service, cause, from);
    if is_proven {
        rollout.proven = Some(tx.now().tick);
        records::put_rollout(tx, &rollout);
    }
    put(tx, &mut service);
    let what = format!("goes back from version {left} to version {}: {why}", service.version);
    log(tx, "service-rolled-back", &service, what);
    Ok(Taken { service, what: Novelty::RolledBack })
}

/// Drops the oldest of those that have ended.
fn forget_oldest(tx: &mut Transaction<'_>, name: &Name) {
    let ended: Vec<u32> = records::rollouts(tx, name)
        .into_iter()
        .filter(|rollout| rollout.stage.is_final())
        .map(|rollout| rollout.number)
        .collect();
    let superfluous = ended.len().saturating_sub(KEPT);
    ended.into_iter().take(superfluous).for_each(|number| records::delete_rollout(tx, name, number));
}
