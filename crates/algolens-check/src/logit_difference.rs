//! Verification of dominance claims: floors of each head's average, and cells with Lagrange multipliers that lists with
//! less would be in.

use super::{
    attention::{Attention, Factor, LogitDifference},
    ball::Ball,
    bytes::{Reader, multiplier, tag},
    class::{Class, Members},
    context::Context,
    product::Product,
    quantize::quantize,
    recursion::Recursion,
    sizes::Asks,
    states::Costs,
};
use algolens_core::Result;

/// Which answer of a logit difference is to dominate, with the rival: the answer that is not the target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// The target is to dominate.
    Target(usize),
    /// The rival is.
    Rival(usize),
}

/// The logit differences between the target of a class and its rivals, with what verifies claims about them.
pub(super) struct LogitDifferences<'a> {
    context: Context<'a>,
    class: Class,
    attention: Attention<'a>,
    /// Cache `[rival]` of those in which the target is to dominate, then of the others.
    known: [Vec<Option<LogitDifference>>; 2],
    verifier: Verifier,
}

/// A cell: a box of the averages of each head but the last.
#[derive(Clone, Debug)]
struct Cell {
    /// Lower and upper bound `[head]`.
    bounds: Vec<[f64; 2]>,
}

impl<'a> LogitDifferences<'a> {
    /// The differences of a class, none computed yet.
    pub fn new(context: Context<'a>, class: &Class, members: Members) -> Self {
        let attention = Attention::new(context.circuits, class, &members);
        let none = || (0..context.circuits.outputs).map(|_| None).collect();
        let minima = match members.sizes.asks {
            Asks::Sorted => {
                let recursion = Box::new(Recursion::new(&members, context.vectors));
                Minima::Subsets(recursion, Costs::new(&members))
            }
            _ => Minima::Product(None),
        };
        let verifier = Verifier { minima, costs: Vec::new(), members };
        Self { context, class: *class, attention, known: [none(), none()], verifier }
    }

    /// Reads and verifies the floors and cells of a dominance claim on a region; true if the winner dominates on every
    /// list. If not, adds to `kept` the options of the lists where it may not.
    ///
    /// # Errors
    /// A claim that is not proved, or bytes that are none.
    pub fn replay(
        &mut self,
        side: Side,
        region: &[u16],
        floors: &mut [Option<i64>],
        kept: &mut [u16],
        reader: &mut Reader,
    ) -> Result<bool> {
        let Self { context, class, attention, known, verifier } = self;
        let (known, rival, winner, loser) = match side {
            Side::Target(rival) => (&mut known[0], rival, class.target, rival),
            Side::Rival(rival) => (&mut known[1], rival, rival, class.target),
        };
        let difference = &*known[rival].get_or_insert_with(|| attention.logit_difference(winner, loser, context.slack));
        let replay = RegionReplay { context: *context, class, attention, difference, winner, loser, region };
        let flags = replay.floors(floors, verifier, reader)?;
        let floors: Vec<Option<f64>> = floors.iter().map(|floor| floor.map(|floor| replay.floor(floor))).collect();
        if flags & 1 != 0 { replay.cells(&floors, verifier, kept, reader) } else { replay.close(&floors) }
    }
}

/// The minimizer of functionals over regions, with its buffers.
struct Verifier {
    members: Members,
    minima: Minima,
    costs: Vec<f64>,
}

/// What finds minima over the lists of a region.
enum Minima {
    /// Of sorted lists, with their quantized costs.
    Subsets(Box<Recursion>, Costs),
    /// Of lists of any values, once costs are set.
    Product(Option<Product>),
}

impl Verifier {
    /// Quantizes a functional's costs; false if they are not finite.
    fn set(&mut self, replay: &RegionReplay, factors: &[Factor]) -> bool {
        replay.attention.costs(replay.difference, factors, &mut self.costs);
        let Self { minima, costs, members } = self;
        let places = replay.attention.places;
        match minima {
            Minima::Subsets(_, units) => quantize(costs, places, members, replay.region, units),
            Minima::Product(product) => {
                let cost = |token, position| costs[places.unsorted(token, position)];
                *product = Product::new(members, replay.region, cost, &costs[places.always()]);
                product.is_some()
            }
        }
    }

    /// The minimum over the region of what is set, in units.
    fn minimum(&mut self, region: &[u16]) -> i64 {
        match &mut self.minima {
            Minima::Subsets(recursion, units) => recursion.minimum(region, units).into(),
            Minima::Product(product) => product.as_ref().map_or(i64::MIN, Product::minimum),
        }
    }

    /// The minimum as well; if it is below 1, adds to `kept` the options whose min-marginal is.
    fn keep(&mut self, region: &[u16], kept: &mut [u16]) -> i64 {
        match &mut self.minima {
            Minima::Subsets(recursion, units) => recursion.keep(region, units, kept).into(),
            Minima::Product(product) => {
                let minimum = product.as_ref().map_or(i64::MIN, Product::minimum);
                if let Some(product) = product.as_ref().filter(|_| minimum < 1) {
                    product.keep(kept);
                }
                minimum
            }
        }
    }

    /// True if the functional's minimum over the region is proved to be at least 0.
    fn is_never_negative(&mut self, replay: &RegionReplay, factors: &[Factor]) -> bool {
        self.set(replay, factors) && self.minimum(replay.region) >= 0
    }

    /// True if the functional's minimum over the region is proved positive. If not, adds to `kept` the options whose
    /// min-marginal may not be.
    fn is_always_positive(&mut self, replay: &RegionReplay, factors: &[Factor], kept: &mut [u16]) -> bool {
        if self.set(replay, factors) {
            self.keep(replay.region, kept) >= 1
        } else {
            kept.copy_from_slice(replay.region);
            false
        }
    }
}

/// The replay of claims about one difference on one region.
struct RegionReplay<'a> {
    context: Context<'a>,
    class: &'a Class,
    attention: &'a Attention<'a>,
    difference: &'a LogitDifference,
    winner: usize,
    loser: usize,
    region: &'a [u16],
}

impl RegionReplay<'_> {
    /// The difference's name in errors.
    fn name(&self) -> String {
        format!("{} against {}", self.winner, self.loser)
    }

    /// A floor, from floor units.
    fn floor(&self, units: i64) -> f64 {
        units as f64 * self.context.floor_unit
    }

    /// Reads floors and verifies those that are new by the sign of N - λ D; the flags.
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

    /// Every head's floor.
    ///
    /// # Errors
    /// A head without one.
    fn all(&self, floors: &[Option<f64>]) -> Result<Vec<f64>> {
        floors.iter().copied().collect::<Option<_>>().ok_or_else(|| {
            self.class.invalid_proof(format!("a floor of every head for {}", self.name()), "heads without one")
        })
    }

    /// Verifies that the floors' sum exceeds the threshold.
    fn close(&self, floors: &[Option<f64>]) -> Result<bool> {
        let room = self.room(&self.all(floors)?);
        if room.high() < 0.0 {
            return Ok(true);
        }
        let expected = format!("floors above {} for {}", self.difference.threshold().value, self.name());
        Err(self.class.invalid_proof(expected, format!("{} less", room.value)))
    }

    /// The threshold less the sum of floors.
    fn room(&self, floors: &[f64]) -> Ball {
        floors.iter().fold(self.difference.threshold(), |room, floor| room - Ball::exact(*floor))
    }

    /// Reads and verifies cells: see [`replay`](LogitDifferences::replay).
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
        // A list on which the winner does not dominate exceeds no floor by more than all of the room.
        let floors = if boxed == 0 { Vec::new() } else { self.all(floors)? };
        let room = self.room(&floors);
        let whole = floors.iter().take(boxed).map(|floor| [*floor, (Ball::exact(*floor) + room).high()]).collect();
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

    /// The Lagrangian of a cell, at most 0 on its lists where the winner does not dominate: there the last head's
    /// average is no more than the threshold less the lower bounds of the others.
    fn factors(&self, cell: &Cell, multipliers: &[u8]) -> Vec<Factor> {
        let lows: Vec<f64> = cell.bounds.iter().map(|[low, _]| *low).collect();
        let others = cell.bounds.iter().zip(multipliers).map(|([_, high], byte)| match multiplier(*byte) {
            0.0 => Factor::default(),
            by => Factor { n: by, d: -(by * high).next_up() },
        });
        others.chain([Factor { n: 1.0, d: -self.room(&lows).high() }]).collect()
    }
}
