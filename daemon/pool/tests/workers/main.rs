//! Pools of real processes, honest ones and rogues.
//!
//! This program is the test and also the worker: started as `rogue`, it is one ([`rogue`]).
//! A worker's file 1 is its socket, which the usual harness would write to.

mod faults;
mod kit;
mod life;
mod live;
mod rogue;
mod turns;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use kit::Outcome;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some("rogue") {
        return rogue::run(&arguments.next().unwrap_or_default());
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

/// A test in a runtime of its own, which is gone with all its processes when it ends.
fn trial<F: Future<Output = Outcome> + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(test());
        outcome.map_err(|error| Failed::from(format!("{error}: {error:?}")))
    })
}

/// A test by its function's name.
macro_rules! trials {
    ($($module:ident :: $name:ident),* $(,)?) => {
        vec![$(trial(concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

fn trials() -> Vec<Trial> {
    trials![
        faults::a_crash_costs_one_job,
        faults::an_exit_costs_one_job,
        faults::half_a_frame_and_an_exit_cost_one_job,
        faults::a_closed_socket_costs_one_job,
        faults::a_worker_that_takes_no_sound_is_hung,
        faults::a_worker_that_ignores_the_end_is_hung,
        faults::work_has_an_end_for_all_the_signs_of_life,
        faults::a_flood_costs_one_job,
        faults::garbage_costs_one_job,
        faults::an_oversized_frame_costs_one_job,
        faults::answers_that_are_not_due_cost_one_job,
        faults::a_worker_killed_from_outside_costs_one_job,
        faults::a_worker_that_exits_between_jobs_costs_none,
        faults::a_worker_that_talks_between_jobs_is_ended,
        faults::a_worker_that_gives_a_job_up_is_well,
        faults::a_start_that_crashes_is_told,
        faults::a_start_that_exits_is_told,
        faults::a_start_in_garbage_is_told,
        faults::a_start_that_never_ends_is_told,
        faults::another_version_is_told,
        faults::being_ready_before_hello_is_told,
        faults::a_lie_about_the_sandbox_is_told,
        faults::less_than_the_least_sandbox_is_refused,
        faults::a_program_that_is_not_there_is_told,
        life::an_application_keeps_its_worker,
        life::a_file_may_end_before_its_bytes_do,
        life::a_worker_is_never_shared_between_applications,
        life::the_bounds_are_told_at_once,
        life::jobs_that_begin_together_all_get_a_worker,
        life::idle_workers_end,
        life::warm_workers_are_there_before_anybody_asks,
        life::a_warm_worker_that_dies_is_replaced,
        life::a_trial_needs_no_gate_and_leaves_its_worker_nobodys,
        life::what_was_heard_does_not_outlive_the_gate,
        life::ending_all_leaves_nothing,
        life::ending_all_ends_starts_too,
        life::a_dropped_pool_ends_its_workers,
        life::a_job_that_nobody_wants_is_let_go,
        life::who_does_not_let_go_is_ended,
        life::a_slow_client_is_waited_for_and_loses_nothing,
        life::a_client_that_takes_nothing_is_given_up,
        life::a_client_that_sends_nothing_is_given_up,
        life::what_the_sandbox_reached_is_the_kernels_word,
        live::what_is_being_said_comes_as_it_is_said,
        live::text_that_is_wanted_no_more_is_dropped_and_the_worker_is_well,
        live::whoever_takes_text_back_is_ended,
        live::what_nobody_asked_for_or_comes_out_of_order_ends_the_worker,
        live::a_flood_of_partials_ends_the_worker,
        live::a_tuning_that_cannot_be_is_refused_and_the_job_goes_on,
        live::the_microphone_has_one_place_of_its_own,
        live::a_microphone_that_waits_for_its_worker_is_the_only_one,
        live::the_microphones_worker_is_no_applications,
        live::a_gate_that_closes_ends_the_microphone,
        turns::who_finds_no_place_waits_and_moves_up,
        turns::a_polite_one_comes_before_all_that_a_greedy_one_has_waiting,
        turns::patience_ends_and_says_when_to_come_again,
        turns::who_goes_away_gives_its_turn_up_at_once,
        turns::a_dead_worker_makes_room_too,
        turns::a_gate_that_closes_ends_all_waits,
    ]
}
