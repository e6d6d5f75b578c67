//! The workspace: what programs see, what is reviewed, and what reaches the project.

mod model;
mod property;
