//! What the network policy and its host cost.

use anyhow::Result;
use suites::download;

use crate::table::Table;

/// A download through the policy, against a client without one, from the same server.
pub async fn run(table: &mut Table) -> Result<()> {
    let download::Figures { through, bare, grown_bytes } = download::measure().await?;
    let ratio = through / bare;
    let rates = format!("{through:.0} MB/s; bare client {bare:.0} MB/s: {ratio:.2}");
    table.row("download of 100 MB by a tool", rates, "0.7 of the bare client", ratio >= 0.7);
    let grown = grown_bytes as f64 / f64::from(1 << 20);
    table.row("the same: growth of this process", format!("{grown:.1} MiB"), "16 MiB", grown <= 16.0);
    Ok(())
}
