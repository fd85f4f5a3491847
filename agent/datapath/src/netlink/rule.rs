//! The two policy rules of an enrolled pod.
//!
//! `pref 100 fwmark M lookup T` brings captured traffic to the agent; `pref 101 fwmark M blackhole` catches what a missing pref 100 or
//! an empty table would let out in plaintext.

use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use super::{Family, Netlink};
use crate::layout::{MARK, PREF_CAPTURE, PREF_GUARD, PROTOCOL, TABLE};

/// One of Weir's policy rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    /// The table set that it is in.
    pub(crate) family: Family,
    /// Which of the two.
    pub(crate) kind: RuleKind,
}

/// What a rule does with marked traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RuleKind {
    /// pref 100: to Weir's table.
    Capture,
    /// pref 101: drop.
    Guard,
}

impl Rule {
    /// As `ip rule` would print it, for logs.
    pub(crate) fn describe(self) -> String {
        let family = if self.family == Family::V4 { "-4" } else { "-6" };
        match self.kind {
            RuleKind::Capture => {
                format!("ip {family} rule pref {PREF_CAPTURE} fwmark {MARK:#x} lookup {TABLE}")
            }
            RuleKind::Guard => {
                format!("ip {family} rule pref {PREF_GUARD} fwmark {MARK:#x} blackhole")
            }
        }
    }

    fn preference(self) -> u32 {
        match self.kind {
            RuleKind::Capture => PREF_CAPTURE,
            RuleKind::Guard => PREF_GUARD,
        }
    }

    fn message(self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = self.family.netlink();
        message.attributes = vec![
            RuleAttribute::Priority(self.preference()),
            RuleAttribute::FwMark(MARK),
            RuleAttribute::FwMask(u32::MAX),
            RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
        ];
        match self.kind {
            RuleKind::Capture => {
                message.header.action = RuleAction::ToTable;
                message.attributes.push(RuleAttribute::Table(TABLE));
            }
            RuleKind::Guard => message.header.action = RuleAction::Blackhole,
        }
        message
    }

    /// Recognises a rule that does what one of ours does. A rule that someone else put at our preference with another meaning is not
    /// ours and does not count.
    fn recognise(message: &RuleMessage) -> Option<Self> {
        let family = Family::from_netlink(message.header.family)?;
        let has = |wanted: &RuleAttribute| message.attributes.contains(wanted);
        let kind = match message.header.action {
            RuleAction::ToTable
                if has(&RuleAttribute::Priority(PREF_CAPTURE)) && has(&RuleAttribute::Table(TABLE)) =>
            {
                RuleKind::Capture
            }
            RuleAction::Blackhole if has(&RuleAttribute::Priority(PREF_GUARD)) => RuleKind::Guard,
            _ => return None,
        };
        let narrowed = message.header.src_len != 0
            || message.header.dst_len != 0
            || message.header.tos != 0
            || message.attributes.iter().any(|attribute| {
                matches!(
                    attribute,
                    RuleAttribute::Iifname(_)
                        | RuleAttribute::Oifname(_)
                        | RuleAttribute::IpProtocol(_)
                        | RuleAttribute::SourcePortRange(_)
                        | RuleAttribute::DestinationPortRange(_)
                        | RuleAttribute::UidRange(_)
                )
            });
        (has(&RuleAttribute::FwMark(MARK)) && has(&RuleAttribute::FwMask(u32::MAX)) && !narrowed)
            .then_some(Self { family, kind })
    }
}

impl Netlink {
    /// Weir's rules of one family.
    pub(crate) fn rules(&mut self, family: Family) -> io::Result<Vec<Rule>> {
        let mut question = RuleMessage::default();
        question.header.family = family.netlink();
        let answers = self.dump(RouteNetlinkMessage::GetRule(question))?;
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRule(rule) => Rule::recognise(rule),
                _ => None,
            })
            .collect())
    }

    /// Adds a rule; one that is there already is fine.
    pub(crate) fn add_rule(&mut self, rule: Rule) -> io::Result<()> {
        // REPLACE means nothing to the kernel here and would add a second one; EXCL makes an equal one EEXIST.
        match self.change(RouteNetlinkMessage::NewRule(rule.message()), NLM_F_CREATE | NLM_F_EXCL) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Removes a rule; one that is not there is fine.
    pub(crate) fn remove_rule(&mut self, rule: Rule) -> io::Result<()> {
        match self.change(RouteNetlinkMessage::DelRule(rule.message()), 0) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_rules_are_recognised_and_foreign_ones_are_not() {
        let capture = Rule { family: Family::V4, kind: RuleKind::Capture };
        let guard = Rule { family: Family::V6, kind: RuleKind::Guard };
        for rule in [capture, guard] {
            assert_eq!(Rule::recognise(&rule.message()), Some(rule));
        }
        let mut other_table = capture.message();
        other_table.attributes.retain(|attribute| !matches!(attribute, RuleAttribute::Table(_)));
        other_table.attributes.push(RuleAttribute::Table(5));
        let mut masked = capture.message();
        masked.attributes.retain(|attribute| !matches!(attribute, RuleAttribute::FwMask(_)));
        masked.attributes.push(RuleAttribute::FwMask(0xff));
        let mut narrowed = guard.message();
        narrowed.attributes.push(RuleAttribute::Iifname("eth0".into()));
        for foreign in [other_table, masked, narrowed, RuleMessage::default()] {
            assert_eq!(Rule::recognise(&foreign), None, "{foreign:?}");
        }
    }
}
