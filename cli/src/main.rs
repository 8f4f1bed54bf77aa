//! The `custody` command.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches;
use custody_cli::args::{
    Cli, Cmd, ConfigCmd, GapCmd, ImportCmd, KeyCmd, PeopleCmd, VerifyArgs, command, inputs,
};
use custody_cli::failure::{Done, Failure};
use custody_cli::settings::{self, Loaded, Settings};
use custody_cli::{
    asking, bench, compacting, demo, exactness, gaps, handing, importing, logging, open, packing, people,
    reconcile, run, signing, verifying,
};
use custody_cli::{out, outln};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Whoever closed standard error does not want to know; the exit code tells all the same.
            let _ = writeln!(std::io::stderr(), "custody: {failure}");
            failure.exit_code()
        }
    }
}

fn start() -> Done {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).map_err(Failure::usage)?;
    // Names and values that are not UTF-8 cannot be settings.
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = inputs(&cli, &matches, env);
    match &cli.command {
        Cmd::Demo(args) => return demo::demo(args),
        Cmd::Bench(args) => return bench::bench(args),
        Cmd::BenchWorker => return bench::child(),
        Cmd::Config(ConfigCmd::Example) => {
            out!("{}", settings::example());
            return Ok(());
        }
        Cmd::Key(KeyCmd::Generate { name, out }) => return signing::generate(name, out),
        Cmd::Key(KeyCmd::Show { file }) => return signing::show(file),
        Cmd::Pack(args) => return packing::pack(args),
        Cmd::Verify(VerifyArgs { what: Some(file), .. }) if packing::is_packed(file) => {
            return packing::unpack_first(file);
        }
        Cmd::Verify(VerifyArgs { what: Some(dir), key, json, .. }) if !dir.is_file() => {
            return verifying::production(dir, key.as_deref(), *json);
        }
        _ => {}
    }
    let loaded = Settings::load(inputs).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage(format!("the settings are wrong:\n{}", lines.join("\n")))
    })?;
    dispatch(&cli, &loaded)
}

fn dispatch(cli: &Cli, loaded: &Loaded) -> Done {
    logging::start(&loaded.settings.log)?;
    match &cli.command {
        Cmd::Run => run::run(loaded),
        Cmd::Ingest => run::ingest(loaded),
        Cmd::Index { once } => run::index(loaded, *once),
        Cmd::Import(ImportCmd::SkypeDb { file, tenant }) => importing::skype_db(loaded, file, tenant),
        Cmd::Import(ImportCmd::Events { files, tenant }) => importing::events(loaded, files, tenant),
        Cmd::Search(args) => asking::search(loaded, args),
        Cmd::Show { position, zone } => asking::record(loaded, position, zone),
        Cmd::Conversation { id, around, window, zone } => {
            asking::conversation(loaded, id, around.as_deref(), window, zone)
        }
        Cmd::Export(args) => handing::export(loaded, args),
        Cmd::Compact { dry_run, json } => compacting::compact(loaded, *dry_run, *json),
        Cmd::People(PeopleCmd::Import { file, how }) => people::import(loaded, file, *how),
        Cmd::People(PeopleCmd::SyncLdap { how }) => people::sync_ldap(loaded, *how),
        Cmd::People(PeopleCmd::List { at, json }) => people::list(loaded, at.as_deref(), *json),
        Cmd::Reconcile(args) => reconcile::reconcile(loaded, args),
        Cmd::Verify(VerifyArgs { what: Some(file), json, .. }) => {
            reconcile::verify_statement(loaded, file, *json)
        }
        Cmd::Verify(VerifyArgs { queries: Some(file), zone, json, .. }) => {
            exactness::verify(loaded, file, zone, *json)
        }
        Cmd::Verify(args) => verifying::archive(loaded, args),
        Cmd::Gap(GapCmd::List { json, zone }) => gaps::list(loaded, *json, zone),
        Cmd::Gap(GapCmd::Accept { topic, who, why }) => gaps::accept(loaded, topic, who, why),
        Cmd::Config(ConfigCmd::Check) => {
            custody_ingest::kafka::check(&open::kafka(&loaded.settings))?;
            outln!("the settings are sound");
            Ok(())
        }
        Cmd::Config(_) => {
            out!("{}", settings::print(loaded));
            Ok(())
        }
        // Handled before the settings are read.
        Cmd::Demo(_) | Cmd::Bench(_) | Cmd::BenchWorker | Cmd::Key(_) | Cmd::Pack(_) => Ok(()),
    }
}
