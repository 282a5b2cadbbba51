//! Calls: each one counted and measured, and made a span for who collects them, from its head to the end of its answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Span, debug_span, field::Empty};

use super::{Call, Calls, Method};

/// The target of the calls' spans, which are made only where somebody collects them.
pub const CALLS: &str = "parkwatt::calls";

/// Measures the calls of a server.
#[derive(Clone, Debug)]
pub struct CallsLayer(pub(super) Calls);

/// A service whose calls are measured.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    calls: Calls,
}

impl<S> Layer<S> for CallsLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, calls: self.0.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Measured<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body + Unpin,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let mut under_way = UnderWay::begin(self.calls.clone(), request.uri().path());
        #[cfg(feature = "otel")]
        crate::traces::go_on(&under_way.span, request.headers());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let response = answering.await?;
            // A call that is refused has its status in the head.
            under_way.hear(response.headers());
            Ok(response.map(|body| MeasuredBody { body, under_way }))
        })
    }
}

/// A call that has not ended; it has when this is dropped.
struct UnderWay {
    calls: Calls,
    method: String,
    begun: Instant,
    code: Option<Code>,
    span: Span,
}

impl UnderWay {
    fn begin(calls: Calls, path: &str) -> UnderWay {
        calls.under_way.inc();
        let method = path.trim_start_matches('/').to_owned();
        // The names are those of OpenTelemetry's conventions.
        let span = debug_span!(
            target: CALLS,
            "call",
            otel.name = method,
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.grpc.status_code = Empty,
            otel.status_code = Empty,
        );
        UnderWay { calls, method, begun: Instant::now(), code: None, span }
    }

    fn hear(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Who hangs up before the end has cancelled the call.
        let code = self.code.unwrap_or(Code::Cancelled);
        // OK because anybody can ask for methods that there are not, and each would be a line of its own.
        let method =
            if code == Code::Unimplemented { String::new() } else { std::mem::take(&mut self.method) };
        self.span.record("rpc.grpc.status_code", code as i32);
        if matches!(code, Code::Unknown | Code::Internal | Code::DataLoss | Code::Unavailable) {
            self.span.record("otel.status_code", "ERROR");
        }
        self.calls.under_way.dec();
        let took = self.begun.elapsed().as_secs_f64();
        self.calls.seconds.get_or_create(&Method { method: method.clone() }).observe(took);
        self.calls.ended.get_or_create(&Call { method, code: name(code) }).inc();
    }
}

/// An answer's body, which hears of the call's status at its end.
pub struct MeasuredBody<B> {
    body: B,
    under_way: UnderWay,
}

impl<B: Body + Unpin> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.under_way.hear(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns a status code's name in the gRPC specification.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
