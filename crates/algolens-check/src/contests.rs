//! Replays contests of two answers: floors of what each head adds, and cells that lists with less would be in.

use super::{
    attention::{Attention, Contest, Factor},
    bounded::Bounded,
    bytes::{Reader, multiplier, tag},
    class::{Class, Members},
    recursion::{Costs, Recursion},
    replay::Terms,
    units::round_down,
};
use algolens_core::Result;

/// A contest, by the answer that is not the right one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// The right answer is to win.
    Right(usize),
    /// The other is.
    Wrong(usize),
}

/// The contests of a class.
pub(super) struct Contests<'a> {
    terms: Terms<'a>,
    class: Class,
    attention: Attention<'a>,
    /// Those in which the right answer is to win, by output, once they are asked for; and the others.
    known: [Vec<Option<Contest>>; 2],
    verifier: Verifier,
}

/// What is left of a contest where each head but the last adds what is in a box.
#[derive(Clone, Debug)]
struct Cell {
    /// The least and the most, by head.
    bounds: Vec<[f64; 2]>,
}

impl<'a> Contests<'a> {
    pub fn new(terms: Terms<'a>, class: &Class, members: Members) -> Self {
        let attention = Attention::new(terms.circuits, class, &members);
        let none = || (0..terms.circuits.outputs).map(|_| None).collect();
        let recursion = Recursion::new(&members, terms.vectors);
        let units = Costs::new(&members);
        let verifier = Verifier { recursion, costs: Vec::new(), units, members };
        Self { terms, class: *class, attention, known: [none(), none()], verifier }
    }

    /// Reads and verifies the floors and cells of a contest on a region; whether the one who is to win does so on every list.
    /// If not, adds to `kept` the options of the lists where they may not.
    ///
    /// # Errors
    /// What is not proved, or is no claim.
    pub fn replay(
        &mut self,
        side: Side,
        region: &[u16],
        floors: &mut [Option<i64>],
        kept: &mut [u16],
        reader: &mut Reader,
    ) -> Result<bool> {
        let Self { terms, class, attention, known, verifier } = self;
        let (known, rival, winner, loser) = match side {
            Side::Right(rival) => (&mut known[0], rival, class.target, rival),
            Side::Wrong(rival) => (&mut known[1], rival, rival, class.target),
        };
        let contest = &*known[rival].get_or_insert_with(|| attention.contest(winner, loser, terms.slack));
        let replay = OfContest { terms: *terms, class, attention, contest, winner, loser, region };
        let flags = replay.floors(floors, verifier, reader)?;
        let floors: Vec<Option<f64>> = floors.iter().map(|floor| floor.map(|floor| replay.floor(floor))).collect();
        if flags & 1 != 0 { replay.cells(&floors, verifier, kept, reader) } else { replay.close(&floors) }
    }
}

/// The least cost of a list, and lists that cost less than nothing.
struct Verifier {
    members: Members,
    recursion: Recursion,
    costs: Vec<f64>,
    units: Costs,
}

impl Verifier {
    /// Sets `units` to a functional's; false if it has no bounds.
    fn set(&mut self, replay: &OfContest, factors: &[Factor]) -> bool {
        replay.attention.costs(replay.contest, factors, &mut self.costs);
        round_down(&self.costs, replay.attention.places, &self.members, replay.region, &mut self.units)
    }

    /// Whether no list of the region has less than 0.
    fn is_never_negative(&mut self, replay: &OfContest, factors: &[Factor]) -> bool {
        self.set(replay, factors) && self.recursion.minimum(replay.region, &self.units) >= 0
    }

    /// Whether every list of the region has more than 0. If not, adds the options of those that may not to `kept`.
    fn is_always_positive(&mut self, replay: &OfContest, factors: &[Factor], kept: &mut [u16]) -> bool {
        if self.set(replay, factors) {
            self.recursion.keep(replay.region, &self.units, kept) >= 1
        } else {
            kept.copy_from_slice(replay.region);
            false
        }
    }
}

/// One contest on one region.
struct OfContest<'a> {
    terms: Terms<'a>,
    class: &'a Class,
    attention: &'a Attention<'a>,
    contest: &'a Contest,
    winner: usize,
    loser: usize,
    region: &'a [u16],
}

impl OfContest<'_> {
    /// What errors call the contest.
    fn name(&self) -> String {
        format!("{} against {}", self.winner, self.loser)
    }

    /// A floor, from steps.
    fn floor(&self, steps: i64) -> f64 {
        steps as f64 * self.terms.step
    }

    /// Reads floors and verifies those that are new; the flags.
    fn floors(&self, floors: &mut [Option<i64>], verifier: &mut Verifier, reader: &mut Reader) -> Result<u64> {
        let heads = floors.len();
        let flags = reader.number()?;
        if flags >> 1 >> heads != 0 {
            return Err(self.class.invalid_proof(format!("flags of {heads} heads"), format!("{flags:#x}")));
        }
        for (h, floor) in floors.iter_mut().enumerate().filter(|(h, _)| flags >> (h + 1) & 1 != 0) {
            let move_by = reader.signed()?;
            let before = floor.unwrap_or(0);
            let Some(now) = before.checked_add(move_by) else {
                return Err(self.class.invalid_proof("a floor of 64 bits", format!("{before} and {move_by} more")));
            };
            // A lower floor than one that was verified needs no proof.
            let proved = floor.is_some() && now <= before;
            *floor = Some(now);
            let mut factors = vec![Factor::default(); heads];
            factors[h] = Factor { n: 1.0, d: -self.floor(now) };
            if !proved && !verifier.is_never_negative(self, &factors) {
                let expected = format!("head {h} to add {} or more for {}", self.floor(now), self.name());
                return Err(self.class.invalid_proof(expected, "lists where it may not"));
            }
        }
        Ok(flags)
    }

    /// All floors, or an error.
    fn all(&self, floors: &[Option<f64>]) -> Result<Vec<f64>> {
        floors.iter().copied().collect::<Option<_>>().ok_or_else(|| {
            self.class.invalid_proof(format!("a floor of every head for {}", self.name()), "heads without one")
        })
    }

    /// Verifies that floors alone decide the contest.
    fn close(&self, floors: &[Option<f64>]) -> Result<bool> {
        let room = self.room(&self.all(floors)?);
        if room.high() < 0.0 {
            return Ok(true);
        }
        let expected = format!("floors above {} for {}", self.contest.threshold().value, self.name());
        Err(self.class.invalid_proof(expected, format!("{} less", room.value)))
    }

    /// What the threshold is above the sum of floors.
    fn room(&self, floors: &[f64]) -> Bounded {
        floors.iter().fold(self.contest.threshold(), |room, floor| room - Bounded::exact(*floor))
    }

    /// Reads and verifies cells: see [`replay`](Contests::replay).
    fn cells(
        &self,
        floors: &[Option<f64>],
        verifier: &mut Verifier,
        kept: &mut [u16],
        reader: &mut Reader,
    ) -> Result<bool> {
        /// Further halves of a box are no smaller in f64.
        const MOST_HALVES: usize = 64;
        let boxed = floors.len() - 1;
        // A list where the contest is not won adds no more than all of the room to a floor.
        let floors = if boxed == 0 { Vec::new() } else { self.all(floors)? };
        let room = self.room(&floors);
        let whole = floors.iter().take(boxed).map(|floor| [*floor, (Bounded::exact(*floor) + room).high()]).collect();
        let mut cells = vec![Cell { bounds: whole }];
        let mut closed = true;
        while let Some(mut cell) = cells.pop() {
            let head = reader.byte()?;
            if head == tag::LEAF {
                let multipliers = reader.take(boxed)?;
                let factors = self.factors(&cell, multipliers);
                closed &= verifier.is_always_positive(self, &factors, kept);
                continue;
            }
            let head = usize::from(head);
            if head >= boxed || cells.len() >= MOST_HALVES * boxed {
                let found = format!("cells halved along head {head} after {} halves", cells.len());
                return Err(self.class.invalid_proof(format!("cells of {boxed} heads"), found));
            }
            let mut upper = cell.clone();
            let [low, high] = cell.bounds[head];
            let middle = (low + high) / 2.0;
            cell.bounds[head][1] = middle;
            upper.bounds[head][0] = middle;
            cells.extend([upper, cell]);
        }
        Ok(closed)
    }

    /// The functional that is at most 0 on lists of the cell where the contest is not won: there the last head adds no more
    /// than the threshold less the least of the others.
    fn factors(&self, cell: &Cell, multipliers: &[u8]) -> Vec<Factor> {
        let lows: Vec<f64> = cell.bounds.iter().map(|[low, _]| *low).collect();
        let others = cell.bounds.iter().zip(multipliers).map(|([_, high], byte)| match multiplier(*byte) {
            0.0 => Factor::default(),
            by => Factor { n: by, d: -(by * high).next_up() },
        });
        others.chain([Factor { n: 1.0, d: -self.room(&lows).high() }]).collect()
    }
}
