//! What is believed of a subject before it was seen: strict on abuse, quiet on honest use.
//! The crate's documentation has the same numbers as a table.

use crate::estimate::{PacePrior, Prior, SharePrior};
use crate::windows::Group;

/// A prior over the logarithm of one more than a count.
const fn count(mean: f64, deviation: f64, floor: f64, weight: f64) -> Prior {
    Prior {
        mean,
        deviation,
        floor,
        least: 0.6,
        weight,
        // A twentieth a day: to double what is usual takes a fortnight.
        rise: 0.05,
        // Half as much again as the prior's line.
        slack: 0.405,
    }
}

/// Requests in five minutes (5), an hour (20) and a day (80).
pub(crate) const RATES: [Prior; 3] = [
    count(1.79, 0.85, 1.95, 50.0),
    count(3.04, 0.9, 3.26, 20.0),
    count(4.39, 0.7, 4.62, 7.0),
];

/// Requests in the busiest of five minutes (3).
pub(crate) const BURST: Prior = count(1.39, 0.9, 1.61, 50.0);

/// Minutes of sound in a day (30).
pub(crate) const SOUND: Prior = count(3.43, 1.4, 4.11, 7.0);

/// Hours of a day over which requests spread.
pub(crate) const ACTIVE: Prior = Prior {
    mean: 10.0,
    deviation: 3.0,
    floor: 10.0,
    least: 2.0,
    weight: 7.0,
    rise: 0.25,
    slack: 0.0,
};

/// Logarithm of the seconds of sound in a request, as an hour's mean.
pub(crate) const DURATION: Prior = Prior {
    mean: 2.1,
    deviation: 2.0,
    floor: f64::NEG_INFINITY,
    least: 0.5,
    weight: 20.0,
    rise: 0.1,
    slack: 0.0,
};

/// Places in [`SHARES`].
pub(crate) const SILENT: usize = 0;
pub(crate) const EXACT: usize = 1;
pub(crate) const NEAR: usize = 2;
pub(crate) const LOW: usize = 3;
pub(crate) const SHORT: usize = 4;

const fn share(
    share: f64,
    weight: f64,
    bounds: (f64, f64),
    free: f64,
    clump: [f64; 3],
) -> SharePrior {
    SharePrior {
        share,
        weight,
        bounds,
        free,
        clump,
    }
}

/// Shares of requests.
pub(crate) const SHARES: [SharePrior; 5] = [
    share(0.35, 40.0, (0.2, 0.9), 15.0, [4.0, 6.0, 8.0]),
    share(0.15, 40.0, (0.1, 0.8), 20.0, [10.0, 21.0, 36.0]),
    share(0.5, 40.0, (0.3, 0.9), 20.0, [8.0, 20.0, 40.0]),
    share(0.25, 40.0, (0.15, 0.8), 15.0, [6.0, 10.0, 16.0]),
    share(0.5, 40.0, (0.4, 0.98), 20.0, [10.0, 20.0, 40.0]),
];

const fn pace(per_day: f64, clump: f64) -> PacePrior {
    PacePrior {
        per_day,
        clump,
        most: 3.0,
    }
}

/// Refusals a day, in the order of [`Group`].
pub(crate) const PACES: [PacePrior; Group::COUNT] = [
    pace(6.0, 1.5),
    pace(3.0, 1.0),
    pace(12.0, 4.0),
    pace(60.0, 10.0),
    pace(3.0, 1.0),
];
