//! Lists and phrases, by example and at random.
