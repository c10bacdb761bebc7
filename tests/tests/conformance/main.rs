//! The contract of the engines: every case runs on the embedded engine and on etcd, from one list, by one interface.
//! What only etcd can suffer is in `faults`.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod cases;
mod embedded;
mod etcd;
mod faults;
mod proxy;
mod world;

/// One test for each case on each engine.
macro_rules! conformance {
    ($($module:ident: $($case:ident),+;)+) => {
        mod on_embedded {
            $($(#[test] fn $case() {
                crate::world::run::<crate::embedded::Embedded, _>(crate::cases::$module::$case);
            })+)+
        }
        mod on_etcd {
            $($(#[test] fn $case() {
                crate::world::run::<crate::etcd::OnEtcd, _>(crate::cases::$module::$case);
            })+)+
        }
    };
}

conformance! {
    transactions:
        a_node_reads_what_it_has_written,
        concurrent_increments_add_up,
        a_limit_on_a_range_holds,
        the_last_of_a_range_is_never_taken_by_two,
        what_a_transaction_read_holds_when_it_commits,
        a_transaction_that_is_too_big_is_refused_whole,
        a_panic_in_a_transaction_that_has_changed_nothing_harms_nobody,
        every_grant_of_a_lock_has_a_greater_fence;
    state:
        a_flushed_database_is_empty_and_filled_anew_in_one_transaction,
        who_begins_later_knows_the_same,
        revisions_go_on_after_a_restore,
        a_local_read_says_what_it_is_of;
    events:
        an_event_says_why,
        a_change_of_a_list_travels_as_its_delta,
        a_watch_has_no_gap_over_a_crash,
        who_is_too_far_behind_is_told,
        a_message_reaches_every_node,
        a_dead_mans_switch_fires_with_the_end_of_its_key;
    time:
        keys_go_on_time_and_never_early,
        a_key_that_was_renewed_stays,
        a_deadline_of_the_wall_clock_is_kept;
}
