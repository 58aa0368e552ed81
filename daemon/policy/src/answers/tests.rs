//! Answers, by example and at random.
