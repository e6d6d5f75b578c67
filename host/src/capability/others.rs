//! `wardian:tool/others`: code calls the session's other tools. The session does that; here its code waits for it.

use wasmtime::component::Linker;

use super::process::{HasStarter, Starter, Starts};
use crate::tool::bindings::wardian::tool::others as contract;
use contract::Refusal;

pub(crate) fn add_to_linker<T: Starts>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<T, HasStarter>(linker, |data| Starter::new(data.caller()))
}

impl contract::Host for Starter<'_> {
    async fn call(&mut self, tool: String, input: String) -> wasmtime::Result<Result<crate::wit::Outcome, Refusal>> {
        let activities = self.caller.activities();
        activities.room().await;
        Ok(activities.call(tool, input).await)
    }
}
