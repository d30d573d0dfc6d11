//! The paths, and what is done at each.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, Request, StatusCode},
    middleware::map_response,
    response::Response,
    routing::{delete, get, post},
};
use serde::Serialize;
use uncross_server::{
    config::listing,
    desk::{Answer, DeskError},
    engine::{admin::ActOutcome, command::Act, instrument::Instrument},
    sessions::utc,
};

use crate::{
    answer::{json, secure},
    body::Fields,
    clerk::Clerk,
    health::{Detail, look},
    limits::{ACT_PATIENCE, PATH_SHOWN_MAX},
    names::{Symbols, Targets, unknown_instrument},
    operators::Role,
    problem::{self, Problem},
    registry::Registry,
    workers::Workers,
};

/// What every answer comes from.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) venue: String,
    pub(crate) clerk: Arc<dyn Clerk>,
    pub(crate) registry: Registry,
    pub(crate) targets: Targets,
    pub(crate) symbols: Arc<Mutex<Symbols>>,
    pub(crate) workers: Workers,
    /// Longest that a body may take to come.
    pub(crate) body_timeout: Duration,
    /// Longest that a record may take to be durable.
    pub(crate) durable_patience: Duration,
    pub(crate) since: Instant,
}

type Shared = State<Arc<Api>>;
type Name = Result<Path<String>, PathRejection>;
type Answered = Result<Response, Problem>;

/// The paths over `api`.
pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health", get(health))
        .route("/v1/kills", post(kill))
        .route("/v1/kills/{target}", delete(revive))
        .route("/v1/instruments", post(list))
        .route("/v1/instruments/{name}", delete(remove))
        .route("/v1/instruments/{name}/halt", post(halt))
        .route("/v1/instruments/{name}/resume", post(resume))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(map_response(secure))
        .with_state(api)
}

#[derive(Serialize)]
struct Live {
    live: bool,
}

/// That this answers is all that it says.
async fn live() -> Response {
    json(StatusCode::OK, "uncross.admin.live/1", &Live { live: true })
}

async fn ready(State(api): Shared) -> Response {
    let (readiness, _) = look(&*api.clerk, api.durable_patience).await;
    json(status(readiness.ready), "uncross.admin.ready/1", &readiness)
}

async fn health(State(api): Shared, request: Request<Body>) -> Answered {
    let operator = api.registry.admit(request.headers(), Role::Viewer)?;
    let (readiness, vitals) = look(&*api.clerk, api.durable_patience).await;
    let status = status(readiness.ready);
    let detail = Detail {
        venue: &api.venue,
        version: env!("CARGO_PKG_VERSION"),
        readiness,
        seq: vitals.seq,
        durable_seq: vitals.durable_seq,
        shadow: vitals.shadow.state.name(),
        shadow_seq: vitals.shadow.seq,
        snapshot_seq: vitals.shadow.snapshot_seq,
        core_beat_age_ms: u64::try_from(vitals.core_beat_age.as_millis()).unwrap_or(u64::MAX),
        open_s: api.since.elapsed().as_secs(),
        who: operator.name(),
        role: operator.role().name(),
    };
    Ok(json(status, "uncross.admin.health/1", &detail))
}

const fn status(is_ready: bool) -> StatusCode {
    if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn kill(State(api): Shared, request: Request<Body>) -> Answered {
    let who = actor(&api, request.headers())?;
    let fields = Fields::read(request, api.body_timeout).await?;
    fields.only(&["target", "cancel"])?;
    let target = fields.text("target", "a text such as \"venue\" or \"user:NAME\"")?;
    let cancels = fields.flag("cancel", true)?;
    let target = api.targets.find(target, true)?;
    act(&api, who, Act::Kill { target, cancels }, "the target").await
}

async fn revive(State(api): Shared, name: Name, headers: HeaderMap) -> Answered {
    let who = actor(&api, &headers)?;
    let name = path(name)?;
    let target = api.targets.find(&name, false)?;
    act(&api, who, Act::Revive(target), &name).await
}

async fn list(State(api): Shared, request: Request<Body>) -> Answered {
    let who = actor(&api, request.headers())?;
    let fields = Fields::read(request, api.body_timeout).await?;
    let instrument: Instrument = listing::parse(fields.into_inner())?;
    act(&api, who, Act::List(instrument), "the instrument").await
}

async fn remove(State(api): Shared, name: Name, headers: HeaderMap) -> Answered {
    on_instrument(&api, name, &headers, Act::Remove).await
}

async fn halt(State(api): Shared, name: Name, headers: HeaderMap) -> Answered {
    on_instrument(&api, name, &headers, Act::Halt).await
}

async fn resume(State(api): Shared, name: Name, headers: HeaderMap) -> Answered {
    on_instrument(&api, name, &headers, Act::Resume).await
}

/// An act on the instrument that the path names. A body is not read: there is nothing to say.
async fn on_instrument(
    api: &Arc<Api>,
    name: Name,
    headers: &HeaderMap,
    order: fn(u32) -> Act,
) -> Answered {
    let who = actor(api, headers)?;
    let name = path(name)?;
    let id = api.symbols.lock().unwrap_or_else(PoisonError::into_inner).find(&name)?;
    act(api, who, order(id), &name).await
}

async fn no_path(request: Request<Body>) -> Problem {
    Problem::new(&problem::PATH, "there is nothing here")
        .expected("a path of docs/operations.md")
        .found(request.uri().path().chars().take(PATH_SHOWN_MAX).collect::<String>())
}

async fn no_method(request: Request<Body>) -> Problem {
    Problem::new(&problem::METHOD, "the path is not for this method")
        .expected("a method of the header Allow")
        .found(request.method().as_str())
}

/// The name of an operator, not of a viewer.
fn actor(api: &Api, headers: &HeaderMap) -> Result<String, Problem> {
    Ok(api.registry.admit(headers, Role::Operator)?.name().to_owned())
}

/// The decoded name in the path.
fn path(name: Name) -> Result<String, Problem> {
    let no_text = |error: PathRejection| {
        Problem::new(&problem::PATH, "the path is no text").found(error.body_text())
    };
    name.map(|Path(name)| name).map_err(no_text)
}

#[derive(Serialize)]
struct Acted<'a> {
    seq: u64,
    time: String,
    outcome: &'static str,
    who: &'a str,
}

/// Orders an act and waits until it is durable; `name` is what it is about.
async fn act(api: &Arc<Api>, who: String, act: Act, name: &str) -> Answered {
    let clerk = Arc::clone(&api.clerk);
    let (signed, symbols) = (who.clone(), Arc::clone(&api.symbols));
    let ordered = api.workers.run(move || {
        let answer = clerk.order(&signed, act, ACT_PATIENCE);
        // Also when the client is gone: the symbol must not be taken for another's id.
        if let (Act::List(instrument), Ok(Answer { outcome, .. })) = (act, &answer)
            && *outcome == ActOutcome::Done
        {
            symbols.lock().unwrap_or_else(PoisonError::into_inner).learn(&instrument);
        }
        answer
    });
    let ordered = ordered.ok_or_else(|| failed(&DeskError::Busy))?;
    let Answer { seq, time_ns, outcome } = ordered
        .await
        .map_err(|_cancelled| Problem::new(&problem::CLOSED, "the door is being closed"))?
        .map_err(|error| failed(&error))?;
    let outcome = match outcome {
        ActOutcome::Done => "done",
        ActOutcome::Unchanged => "unchanged",
        ActOutcome::Scheduled => "scheduled",
        ActOutcome::UnknownInstrument => return Err(unknown_instrument(name, None).seq(seq)),
        ActOutcome::InvalidInstrument => {
            return Err(Problem::new(&problem::VALUE, "the engine refuses the instrument").seq(seq));
        }
        ActOutcome::IdTaken => {
            return Err(Problem::new(&problem::TAKEN, "the id belongs to another symbol for ever")
                .expected("an id that no instrument of this venue has had")
                .seq(seq));
        }
        ActOutcome::SymbolTaken => {
            return Err(Problem::new(&problem::TAKEN, "the symbol belongs to another id for ever")
                .expected("the id that the symbol has had")
                .seq(seq));
        }
        ActOutcome::Full => {
            return Err(Problem::new(&problem::FULL, "there is no room for another one")
                .expected("fewer than the venue's capacity has room for")
                .seq(seq));
        }
        ActOutcome::UnknownTarget => {
            return Err(Problem::new(&problem::UNKNOWN_TARGET, "the venue has no such port")
                .expected("a port from 1 to capacity.ports")
                .seq(seq));
        }
    };
    let acted = Acted { seq, time: utc(time_ns), outcome, who: &who };
    Ok(json(StatusCode::OK, "uncross.admin.act/1", &acted))
}

/// An act that has no outcome.
fn failed(error: &DeskError) -> Problem {
    match error {
        DeskError::Who { .. } => Problem::new(&problem::OPERATORS, error.to_string()),
        DeskError::Stopped => {
            let message = "the venue has stopped; what it had taken in is in its journal";
            Problem::new(&problem::CLOSED, message)
        }
        DeskError::Busy => Problem::new(&problem::BUSY, "too many acts wait already"),
        DeskError::TimedOut { .. } => {
            let message = "no answer in time: the act may or may not have happened";
            Problem::new(&problem::TIMED_OUT, message)
                .expected(format!("a durable record within {} s", ACT_PATIENCE.as_secs()))
        }
    }
}
