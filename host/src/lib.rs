//! The native host as a library.
//!
//! It lends components what they may have and nothing else: files, clocks, random, the user, other components in
//! sandboxes of their own. It never prints, reads no environment variable and knows no home directory: whoever uses it
//! says where things are. What a user could notice happens in components, not here.

#![warn(missing_docs)]

mod agent;
mod cache;
mod capability;
mod command;
mod commands;
mod engine;
mod error;
mod family;
mod interrupt;
mod kept;
mod limits;
mod overseer;
mod review;
mod tool;

pub use agent::{Agent, AgentOptions, Interrupter, ProjectAccess, SessionAccess};
pub use capability::activities::Activities;
pub use capability::http::Network;
pub use capability::http::client::{Client, ResponseBody, SendError};
pub use capability::http::net::{Credential, Net, NetOptions, Resolver, Resolving, Roots, SystemResolver, origin};
pub use capability::jobs::Jobs;
pub use capability::stdio::{Input, Output};
pub use capability::turns::Turns;
pub use capability::{Ui, UiFuture};
pub use command::{Command, Exit, Killed, Process, Start, Status};
pub use commands::{CommandSource, Commands, Found, Load};
pub use engine::{Code, Host, HostOptions};
pub use error::Error;
pub use kept::Kept;
pub use limits::Limits;
pub use review::Plan;
pub use tool::{Files, Layer, Spawned, Tool, ToolCallOptions};

/// The contracts' types, as this host uses them.
pub mod wit {
    pub use crate::agent::bindings::exports::wardian::session::journal::{Report, Summary};
    pub use crate::agent::bindings::exports::wardian::workspace::review::{Touched, Touches};
    pub use crate::agent::bindings::wardian::agent::types::{CallError, CallErrorKind, LimitReached, Stop, Usage};
    pub use crate::agent::bindings::wardian::host::approver::{Answer, Question};
    pub use crate::agent::bindings::wardian::host::observer::{Event, ToolFinished, ToolStarted};
    pub use crate::agent::bindings::wardian::host::sandbox::{
        Activity, Finished, InnerCall, Killed, NetError, NetQuestion, NetRequest, ProcessExit, ProcessStart,
    };
    pub use crate::agent::bindings::wardian::host::types::{Fault, Grant, LimitFault, Limits, Unlisted};
    pub use crate::agent::bindings::wardian::session::types::{
        Approve, Budget, Damage, Divergence, OpenError, Opened, Options, Rule, Usage as RunUsage, Verdict,
    };
    pub use crate::agent::bindings::wardian::workspace::types::{
        Change, ChangeList, Commit, CommitOptions, Conflict, Content, Description, Entry, Error as ReviewError,
        FileDiff, FileType, Hunk, IoError, Kind as ChangeKind, Line, Options as ReviewOptions, Selected, Side, Span,
    };
    pub use crate::capability::http::policy::bindings::exports::wardian::netfetch::policy::{
        Limits as NetLimits, Origin as NetOrigin, Port as NetPort, Reach as NetReach, Redirects as NetRedirects,
        Rule as NetRule, Schemes as NetSchemes, Verdict as NetVerdict,
    };
    pub use crate::tool::bindings::wardian::tool::progress::Update;
    pub use crate::tool::bindings::wardian::tool::types::{
        Attachment, FileAccess, Image, InvalidInput, NotPermitted, Outcome, Part, Powers, Tool as ToolInfo, ToolCall,
        ToolError,
    };
}
