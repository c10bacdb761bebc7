//! DNS: a question and a catalog view make an answer.
