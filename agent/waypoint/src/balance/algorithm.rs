//! How one of several endpoints is chosen, as the form says it.

use weir_proto::l7;

use super::{affinity::Affinity, maglev, ring};
use crate::route::{Reason, Rejection, Within as _};

/// A compiled algorithm.
#[derive(Debug)]
pub(super) enum Algorithm {
    /// The one with the fewest requests among as many as this, drawn by their weights.
    LeastRequest(u32),
    RoundRobin,
    Random,
    /// To the address that the client dialled.
    Passthrough,
    ConsistentHash(Affinity, Table),
}

/// What a consistent hash is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Ring(u64),
    Maglev(u64),
}

impl Algorithm {
    pub(super) fn compile(form: &l7::LoadBalancer) -> Result<Algorithm, Rejection> {
        use l7::load_balancer::Algorithm as Form;
        Ok(match &form.algorithm {
            None => Algorithm::LeastRequest(CHOICES),
            Some(Form::LeastRequest(form)) => {
                Algorithm::LeastRequest(if form.choices == 0 { CHOICES } else { form.choices })
            }
            Some(Form::RoundRobin(_)) => Algorithm::RoundRobin,
            Some(Form::Random(_)) => Algorithm::Random,
            Some(Form::Passthrough(_)) => Algorithm::Passthrough,
            Some(Form::ConsistentHash(form)) => {
                let affinity = Affinity::compile(form).within("consistent_hash")?;
                let table = Table::compile(form.table.as_ref()).within("consistent_hash")?;
                Algorithm::ConsistentHash(affinity, table)
            }
        })
    }

    pub(super) fn table(&self) -> Option<Table> {
        match self {
            Algorithm::ConsistentHash(_, table) => Some(*table),
            _ => None,
        }
    }
}

impl Table {
    fn compile(form: Option<&l7::consistent_hash::Table>) -> Result<Table, Rejection> {
        use l7::consistent_hash::Table as Form;
        match form {
            None | Some(Form::MinimumRingSize(0)) => Ok(Table::Ring(RING)),
            Some(Form::MinimumRingSize(size)) if *size <= ring::MOST_POINTS => Ok(Table::Ring(*size)),
            Some(Form::MinimumRingSize(size)) => {
                Err(Reason::OutOfRange { value: *size, expected: "at most 8388608" })
                    .within("minimum_ring_size")
            }
            Some(Form::MaglevTableSize(0)) => Ok(Table::Maglev(MAGLEV)),
            Some(Form::MaglevTableSize(size)) if *size <= maglev::LARGEST && maglev::is_prime(*size) => {
                Ok(Table::Maglev(*size))
            }
            Some(Form::MaglevTableSize(size)) => {
                let expected = "a prime up to 5000011";
                Err(Reason::OutOfRange { value: *size, expected }).within("maglev_table_size")
            }
        }
    }
}

const CHOICES: u32 = 2;
const RING: u64 = 1024;
const MAGLEV: u64 = 65537;
