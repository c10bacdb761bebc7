//! Instances that run as somebody else, and gain nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use adsum_model::{Resource, Ulimit};
use adsum_runtime::{ExitStatus, Start, StartError};
use nix::unistd::{Uid, User};

use crate::kit::*;

/// A user that is there and is not root, when we may take on others.
fn stranger() -> Option<User> {
    let found = User::from_name("nobody").unwrap().filter(|_| Uid::effective().is_root());
    if found.is_none() {
        println!("SKIPPED: only root may start a process as 'nobody'");
    }
    found
}

/// A node whose directory everybody may enter.
fn open_node() -> Node {
    let node = Node::new();
    fs::set_permissions(node.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    node
}

fn as_user(start: Start, user: &str) -> Start {
    Start { user: Some(user.to_string()), ..start }
}

#[tokio::test]
async fn a_process_runs_as_its_user_with_that_users_groups_name_and_home() {
    let Some(nobody) = stranger() else { return };
    let node = open_node();
    let keeper = node.keeper().await;
    let start = as_user(node.script(&id(1), "echo $USER $HOME; id -G; exec sleep 1000"), "nobody");
    let process = keeper.start(start).await.unwrap();
    until("it has said who it is", || node.lines(&id(1)).len() == 2);
    let uids = status_field(process.pid, "Uid").unwrap();
    assert!(uids.split_whitespace().all(|uid| uid == nobody.uid.to_string()), "{uids}");
    let gids = status_field(process.pid, "Gid").unwrap();
    assert!(gids.split_whitespace().all(|gid| gid == nobody.gid.to_string()), "{gids}");
    assert_eq!(status_field(process.pid, "NoNewPrivs").unwrap(), "1");
    assert_eq!(status_field(process.pid, "CapEff").unwrap(), "0000000000000000");
    let lines = node.lines(&id(1));
    assert_eq!(lines, [format!("nobody {}", nobody.dir.display()), nobody.gid.to_string()]);
}

#[tokio::test]
async fn a_group_of_its_own_is_the_only_one() {
    if stranger().is_none() {
        return;
    }
    let node = open_node();
    let keeper = node.keeper().await;
    for (seed, user, expect) in
        [(1, "12345:54321", "12345 54321"), (2, "nobody:0", "65534 0"), (3, "root:7", "0 7")]
    {
        keeper.start(as_user(node.script(&id(seed), "echo $(id -u) $(id -G)"), user)).await.unwrap();
        exit_of(&keeper, &id(seed)).await;
        assert_eq!(node.lines(&id(seed)), [expect], "{user}");
    }
}

#[tokio::test]
async fn the_data_directory_and_the_output_are_the_users() {
    let Some(nobody) = stranger() else { return };
    let node = open_node();
    let keeper = node.keeper().await;
    let data = node.path("data");
    fs::create_dir(&data).unwrap();
    let script = "echo kept > data/note && echo by name > /dev/stdout";
    let start = Start { data_dir: Some(data.clone()), ..node.script(&id(1), script) };
    keeper.start(as_user(start, "nobody")).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Code(0));
    assert_eq!(fs::metadata(data.join("note")).unwrap().uid(), nobody.uid.as_raw());
    assert_eq!(node.lines(&id(1)), ["by name"]);
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said_before_anything_runs() {
    if stranger().is_none() {
        return;
    }
    let node = open_node();
    let keeper = node.keeper().await;
    fs::create_dir(node.path("closed")).unwrap();
    fs::set_permissions(node.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let refused = async |start: Start| {
        let error = keeper.start(start).await.unwrap_err();
        assert_eq!(state_of(&keeper, &id(1)).await, None);
        error.to_string()
    };
    let closed = Start { workdir: node.path("closed"), ..node.script(&id(1), "true") };
    let error = refused(as_user(closed, "nobody")).await;
    assert!(
        error.contains("its directory") && error.contains("cannot be entered: Permission denied"),
        "{error}"
    );

    fs::copy("/bin/true", node.path("closed/true")).unwrap();
    let mut hidden = node.script(&id(1), "");
    hidden.command = vec![node.path("closed/true").display().to_string()];
    let error = refused(as_user(hidden, "nobody")).await;
    assert!(error.contains("it, or the way to it, is closed to user nobody"), "{error}");

    let unknown = keeper.start(as_user(node.script(&id(1), "true"), "nobody-at-all")).await.unwrap_err();
    assert!(matches!(unknown, StartError::NoUser { .. }), "{unknown}");
    assert!(unknown.to_string().ends_with("this machine has no user 'nobody-at-all'"), "{unknown}");
}

/// Root does not have every right everywhere. CAP_SYS_RESOURCE is bit 24.
fn may_raise_limits() -> bool {
    let rights = status_field(std::process::id(), "CapEff").unwrap();
    let may = u64::from_str_radix(&rights, 16).unwrap() & (1 << 24) != 0;
    if !may {
        println!("SKIPPED: this root may not raise limits");
    }
    may
}

#[tokio::test]
async fn a_hard_limit_is_raised_before_root_is_given_up() {
    if stranger().is_none() || !may_raise_limits() {
        return;
    }
    let node = open_node();
    let keeper = node.keeper().await;
    let mut start = as_user(node.script(&id(1), "ulimit -Hl"), "nobody");
    start.ulimits.insert(Resource::Memlock, Ulimit { soft: 0, hard: 1 << 40 });
    keeper.start(start).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(node.lines(&id(1)), [(1u64 << 30).to_string()], "in KiB");
}
