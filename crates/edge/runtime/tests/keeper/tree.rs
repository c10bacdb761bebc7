//! The whole tree of an instance goes, with either way of keeping hold of it.

use std::fs;
use std::time::Duration;

use adsum_runtime::{ExitStatus, Keeper, Signal, TreeKind};

use crate::kit::*;

/// Runs one check with each kind of tree that there is here.
async fn with_each_tree(check: impl AsyncFn(&Node, &Keeper)) {
    for kind in tree_kinds().await {
        let node = Node::with_tree(Some(kind));
        let keeper = node.keeper().await;
        assert_eq!(keeper.tree(), kind);
        check(&node, &keeper).await;
    }
}

fn pids_in(node: &Node, name: &str) -> Option<Vec<u32>> {
    let text = fs::read_to_string(node.path(name)).ok()?;
    text.ends_with('\n').then(|| text.lines().map(|line| line.parse().unwrap()).collect())
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed_after_the_grace() {
    with_each_tree(async |node, keeper| {
        let script = "trap '' TERM; echo up; while :; do sleep 0.01; done";
        keeper.start(node.script(&id(1), script)).await.unwrap();
        until("the trap is set", || node.lines(&id(1)) == ["up"]);
        let begun = std::time::Instant::now();
        keeper.stop(&id(1), Signal::TERM, Duration::from_millis(200)).await.unwrap();
        assert_eq!(exit_of(keeper, &id(1)).await, ExitStatus::Signal(9));
        assert!(begun.elapsed() >= Duration::from_millis(200));
        assert!(node.marked(&id(1)).is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_stopped_by_sigstop_is_killed_after_the_grace() {
    with_each_tree(async |node, keeper| {
        let process = keeper.start(node.script(&id(1), "kill -STOP $$; sleep 1000")).await.unwrap();
        until("it has stopped", || status_field(process.pid, "State").is_some_and(|s| s.starts_with('T')));
        keeper.stop(&id(1), Signal::TERM, Duration::from_millis(50)).await.unwrap();
        assert_eq!(exit_of(keeper, &id(1)).await, ExitStatus::Signal(9));
    })
    .await;
}

/// The grandchild has a session of its own, and no parent of the tree.
const ESCAPE: &str = "( setsid sh -c 'trap \"\" TERM HUP; echo $$ >> left; exec sleep 1000' & ) ; ";

#[tokio::test]
async fn a_stop_reaches_what_has_forked_twice_into_a_session_of_its_own() {
    with_each_tree(async |node, keeper| {
        let script = format!("{ESCAPE} {ESCAPE} exec sleep 1000");
        let process = keeper.start(node.script(&id(1), &script)).await.unwrap();
        let left = wait_for("both have left", || pids_in(node, "left").filter(|pids| pids.len() == 2));
        let pids = keeper.pids(&id(1)).await.unwrap();
        assert!(left.iter().chain([&process.pid]).all(|pid| pids.contains(pid)), "{pids:?}");
        keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
        exit_of(keeper, &id(1)).await;
        assert!(!left.iter().any(|pid| lives(*pid)));
    })
    .await;
}

#[tokio::test]
async fn what_a_leader_leaves_behind_is_gone_before_its_exit_is_told() {
    with_each_tree(async |node, keeper| {
        let script = format!("{ESCAPE} sleep 1000 & while [ ! -s left ]; do sleep 0.01; done; exit 4");
        keeper.start(node.script(&id(1), &script)).await.unwrap();
        assert_eq!(exit_of(keeper, &id(1)).await, ExitStatus::Code(4));
        assert!(node.marked(&id(1)).is_empty());
        assert!(!pids_in(node, "left").unwrap().iter().any(|pid| lives(*pid)));
    })
    .await;
}

#[tokio::test]
async fn what_clears_its_environment_stays_in_the_tree_of_its_session() {
    with_each_tree(async |node, keeper| {
        let script = "env -i /bin/sh -c 'echo $$ >> left; exec sleep 1000' & exec sleep 1000";
        keeper.start(node.script(&id(1), script)).await.unwrap();
        let left = wait_for("it runs", || pids_in(node, "left"));
        assert!(keeper.pids(&id(1)).await.unwrap().contains(&left[0]));
        keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
        exit_of(keeper, &id(1)).await;
        assert!(!lives(left[0]));
    })
    .await;
}

/// Forked twice, in a session of its own, and without an environment.
const VANISH: &str = "( env -i setsid sh -c 'trap \"\" TERM HUP; echo $$ >> left; exec sleep 1000' & ) ; ";

/// The process group is the control: there it is known to escape.
#[tokio::test]
async fn what_leaves_session_parent_and_environment_behind_escapes_no_control_group() {
    with_each_tree(async |node, keeper| {
        let script = format!("{VANISH} exec sleep 1000");
        keeper.start(node.script(&id(1), &script)).await.unwrap();
        let left = wait_for("it has left", || pids_in(node, "left"))[0];
        // Between the fork and the exec of env it still has what it was born with.
        until("its environment is empty", || {
            fs::read(format!("/proc/{left}/environ"))
                .is_ok_and(|e| e.is_empty() || !e.windows(14).any(|w| w == b"ADSUM_INSTANCE"))
        });
        keeper.stop(&id(1), Signal::TERM, Duration::from_millis(100)).await.unwrap();
        exit_of(keeper, &id(1)).await;
        let escapes = keeper.tree() == TreeKind::ProcessGroup;
        assert_eq!(lives(left), escapes, "{:?}", keeper.tree());
        if escapes {
            kill_9(left);
        }
    })
    .await;
}

#[tokio::test]
async fn each_process_gets_the_signal_once() {
    with_each_tree(async |node, keeper| {
        let script = "trap 'echo got; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        keeper.start(node.script(&id(1), &format!("sh -c \"{script}\" & {script}"))).await.unwrap();
        until("both are up", || node.lines(&id(1)).len() == 2);
        keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
        assert_eq!(exit_of(keeper, &id(1)).await, ExitStatus::Code(0));
        let got = node.lines(&id(1)).iter().filter(|line| *line == "got").count();
        assert!(got == 1 || got == 2, "the leader's end may kill the other before its turn: {got}");
    })
    .await;
}

/// A hundred times a hundred processes that cannot end before their parent has: nobody but the keeper takes them in.
const ORPHANS: &str = r#"
    mkfifo gate
    i=0
    while [ $i -lt 100 ]; do
        i=$((i+1))
        (j=0; while [ $j -lt 100 ]; do j=$((j+1)); : < gate & done)
        exec 3<>gate 3<&-
        [ $((i%10)) -ne 0 ] || echo $((i*100))
    done
    exec 3<>gate sleep 1000
"#;

#[tokio::test]
async fn ten_thousand_orphans_do_not_stay_as_zombies() {
    with_each_tree(async |node, keeper| {
        keeper.start(node.script(&id(1), ORPHANS)).await.unwrap();
        for thousand in 1..=10 {
            until("a thousand more were left", || node.lines(&id(1)).len() >= thousand);
        }
        assert_eq!(node.lines(&id(1)).last().unwrap(), "10000");
        let children = format!("/proc/{0}/task/{0}/children", keeper.pid());
        until("only the instance is left", || {
            fs::read_to_string(&children).unwrap().split_whitespace().count() == 1
        });
    })
    .await;
}

/// Each process starts its successor and ends: there are never more than two of a line, and a look at `/proc` comes
/// too late for all of them. A line ends by itself after 5,000.
const RELAY: &str =
    "n=$1; echo $n > \"relay$2\"; [ $n -ge 5000 ] || [ -e stop ] || sh ./relay $((n+1)) $2 & exit";

#[tokio::test]
async fn a_kill_outruns_what_forks_faster_than_proc_can_be_read() {
    with_each_tree(async |node, keeper| {
        fs::write(node.path("relay"), RELAY).unwrap();
        let script = "sh ./relay 0 a & sh ./relay 0 b & exec sleep 1000";
        keeper.start(node.script(&id(1), script)).await.unwrap();
        let runs = |line: &str| {
            fs::read_to_string(node.path(line)).unwrap_or_default().trim().parse::<u32>().unwrap_or(0)
        };
        until("both relays run", || runs("relaya") > 50 && runs("relayb") > 50);
        keeper.stop(&id(1), Signal::KILL, Duration::ZERO).await.unwrap();
        exit_of(keeper, &id(1)).await;
        fs::write(node.path("stop"), "").unwrap();
        assert!(node.marked(&id(1)).is_empty());
        assert!(runs("relaya") < 5000 && runs("relayb") < 5000);
    })
    .await;
}

#[tokio::test]
async fn control_groups_are_given_back() {
    if !tree_kinds().await.contains(&TreeKind::Cgroup2) {
        return;
    }
    let node = Node::with_tree(Some(TreeKind::Cgroup2));
    let keeper = node.keeper().await;
    let process = keeper.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap();
    assert!(groups.contains(&format!("adsum-{}/{}", node.cluster(), id(1))), "{groups}");
    let group = group_of(&node, &id(1));
    assert!(group.exists());
    keeper.shutdown(Duration::ZERO).await.unwrap();
    assert!(!group.exists());
    until("the common one goes too", || !group.parent().unwrap().exists());
}

/// A machine may have very many groups that killed keepers have left, and a start removes as many as there is time for.
const STARTS: usize = 1000;

#[tokio::test]
async fn what_a_killed_keeper_has_left_goes_with_the_starts_of_others_and_what_lives_stays() {
    for kind in tree_kinds().await.into_iter().filter(|kind| *kind != TreeKind::ProcessGroup) {
        let (killed, living) = (Node::with_tree(Some(kind)), Node::with_tree(Some(kind)));
        let keeper = killed.keeper().await;
        let process = keeper.start(killed.script(&id(1), "exec sleep 1000")).await.unwrap();
        let left = group_of(&killed, &id(1));
        let living_keeper = living.keeper().await;
        let pid = keeper.pid();
        // Without an agent nobody starts it again.
        drop(keeper);
        kill_9(pid);
        until("the keeper has gone", || !lives(pid));
        let next = Node::with_tree(Some(kind));
        next.keeper().await;
        assert!(left.exists(), "somebody is in it");
        kill_9(process.pid);
        for _ in 0..STARTS {
            Node::with_tree(Some(kind)).keeper().await;
            if !left.parent().unwrap().exists() {
                break;
            }
        }
        assert!(!left.parent().unwrap().exists(), "{}", left.display());
        // It has had no instance yet, and its group is where it was.
        living_keeper.start(living.script(&id(1), "exec sleep 1000")).await.unwrap();
        assert!(group_of(&living, &id(1)).exists());
    }
}

/// The group of an instance's tree, by its record.
fn group_of(node: &Node, id: &adsum_model::InstanceId) -> std::path::PathBuf {
    let record = fs::read_to_string(node.record(id)).unwrap();
    record.split('"').find(|text| text.contains("/adsum-")).unwrap().into()
}
