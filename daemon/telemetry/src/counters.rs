//! How often everything happened.

use serde::{Deserialize, Serialize};

use crate::{AlertLevel, Event, FactorOutcome, GateState, Refusal};

/// How often everything happened since the daemon started. Counters stop at the end of their
/// range rather than starting anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Events of any kind.
    pub events: u64,
    /// Requests that were let in.
    pub requests_begun: u64,
    /// Requests that were answered.
    pub requests_ended: u64,
    /// Requests that were answered with a status from 500.
    pub requests_failed: u64,
    /// Callers that were turned away.
    pub refused: u64,
    /// Milliseconds of sound that were brought.
    pub sound_milliseconds: u64,
    /// Workers that were started.
    pub workers_started: u64,
    /// Workers that are gone.
    pub workers_ended: u64,
    /// Workers that are gone and should not be.
    pub workers_failed: u64,
    /// Times that the gate opened.
    pub gate_opened: u64,
    /// Times that the gate closed.
    pub gate_closed: u64,
    /// Self-tests that were passed.
    pub self_tests_passed: u64,
    /// Self-tests that were not.
    pub self_tests_failed: u64,
    /// Tokens that were given out.
    pub tokens_issued: u64,
    /// Callers that were turned away because they were not believed to be who they say.
    pub refused_identity: u64,
    /// Applications that were turned away for a scope that they lack.
    pub refused_scope: u64,
    /// Callers that were turned away by a limit: rate, budget, places at once, or the load.
    pub refused_limit: u64,
    /// Second factors that were right.
    pub second_factors_passed: u64,
    /// Second factors that were wrong, used up, or not looked at.
    pub second_factors_refused: u64,
    /// What operators and auditors did.
    pub operator_actions: u64,
    /// Times that the microphone was opened.
    pub microphone_opened: u64,
    /// Times that the microphone's device was lost.
    pub microphone_lost: u64,
    /// Times that the microphone was muted.
    pub microphone_muted: u64,
    /// Times that keys were replaced.
    pub keys_rotated: u64,
    /// Alerts, of any level.
    pub alerts: u64,
    /// Alerts that shut somebody out.
    pub quarantines: u64,
    /// Events that are missing in the audit log.
    pub audit_lost: u64,
    /// Times that the audit log could not be written any more.
    pub audit_unavailable: u64,
    /// Segments of the audit log that were not as they were written.
    pub audit_damaged: u64,
}

impl Counters {
    pub(crate) fn count(&mut self, event: &Event) {
        add(&mut self.events, 1);
        match event {
            Event::RequestBegun { .. } => add(&mut self.requests_begun, 1),
            Event::RequestEnded {
                status,
                sound_milliseconds,
                ..
            } => {
                add(&mut self.requests_ended, 1);
                add(&mut self.requests_failed, u64::from(*status >= 500));
                add(&mut self.sound_milliseconds, *sound_milliseconds);
            }
            Event::Refused { reason, .. } => self.count_refusal(*reason),
            Event::WorkerStarted { .. } => add(&mut self.workers_started, 1),
            Event::WorkerEnded { why, .. } => {
                add(&mut self.workers_ended, 1);
                add(&mut self.workers_failed, u64::from(!why.is_orderly()));
            }
            Event::Gate { from, to, .. } => {
                add(
                    &mut self.gate_opened,
                    u64::from(!from.is_open() && to.is_open()),
                );
                add(
                    &mut self.gate_closed,
                    u64::from(from != to && *to == GateState::Closed),
                );
            }
            Event::SelfTest(test) if test.passed => add(&mut self.self_tests_passed, 1),
            Event::SelfTest(_) => add(&mut self.self_tests_failed, 1),
            Event::TokenIssued { .. } => add(&mut self.tokens_issued, 1),
            Event::SecondFactor { outcome, .. } => match outcome {
                FactorOutcome::Enrolled => {}
                FactorOutcome::Passed => add(&mut self.second_factors_passed, 1),
                FactorOutcome::Refused | FactorOutcome::Replayed | FactorOutcome::Locked => {
                    add(&mut self.second_factors_refused, 1);
                }
            },
            Event::OperatorAction { .. } => add(&mut self.operator_actions, 1),
            Event::MicrophoneOpened { .. } => add(&mut self.microphone_opened, 1),
            Event::MicrophoneLost => add(&mut self.microphone_lost, 1),
            Event::MicrophoneMuted { .. } => add(&mut self.microphone_muted, 1),
            Event::KeysRotated { .. } => add(&mut self.keys_rotated, 1),
            Event::Alert(alert) => {
                add(&mut self.alerts, 1);
                let quarantine = alert.level == AlertLevel::Quarantine;
                add(&mut self.quarantines, u64::from(quarantine));
            }
            Event::AuditLost { events } => add(&mut self.audit_lost, *events),
            Event::AuditUnavailable => add(&mut self.audit_unavailable, 1),
            Event::AuditDamaged { .. } => add(&mut self.audit_damaged, 1),
            Event::Started
            | Event::Stopping
            | Event::Sandbox { .. }
            | Event::TokensRevoked { .. }
            | Event::CertificateRenewed
            | Event::AppAdded { .. }
            | Event::AppChanged { .. }
            | Event::AppRevoked { .. }
            | Event::CertificateIssued { .. }
            | Event::BrowserSession { .. }
            | Event::MicrophoneClosed { .. }
            | Event::MicrophoneBack { .. }
            | Event::MicrophoneUnmuted { .. }
            | Event::Guard { .. }
            | Event::Released { .. }
            | Event::AuditPurged { .. }
            | Event::AuditCut { .. }
            | Event::AuditRestored
            | Event::StateSaved
            | Event::ConfigurationRefused => {}
        }
    }

    fn count_refusal(&mut self, reason: Refusal) {
        add(&mut self.refused, 1);
        let of_limit = matches!(
            reason,
            Refusal::RateLimited
                | Refusal::BudgetSpent
                | Refusal::TooManyAtOnce
                | Refusal::TooManyConnections
                | Refusal::Busy
        );
        let of_scope = reason == Refusal::InsufficientScope;
        add(
            &mut self.refused_identity,
            u64::from(reason.is_of_identity()),
        );
        add(&mut self.refused_scope, u64::from(of_scope));
        add(&mut self.refused_limit, u64::from(of_limit));
    }
}

fn add(counter: &mut u64, amount: u64) {
    *counter = counter.saturating_add(amount);
}
