/** The pages and their addresses. */
import type { VNode } from "preact";
import { LocationProvider, Route, Router, useLocation } from "preact-iso/router";
import { Failure } from "../parts/states.tsx";
import { Accesses, UnauthenticatedEvents } from "../pages/accesses.tsx";
import { Anomalies } from "../pages/anomalies.tsx";
import { Budgets } from "../pages/budgets.tsx";
import { Explain } from "../pages/explain.tsx";
import { Interception } from "../pages/interception.tsx";
import { Live } from "../pages/live.tsx";
import { Overrides } from "../pages/overrides.tsx";
import { Overview } from "../pages/overview.tsx";
import { People } from "../pages/people.tsx";
import { Person } from "../pages/person.tsx";
import { Providers } from "../pages/providers.tsx";
import { Passthroughs, Refusals } from "../pages/refusals.tsx";
import { Seals } from "../pages/seals.tsx";
import { Session } from "../pages/session.tsx";
import { Sessions } from "../pages/sessions.tsx";
import { ErrorBoundary } from "./error-boundary.tsx";
import { hrefOf } from "./location.ts";
import { Page } from "./page.tsx";
import { SessionProvider, useSessionState } from "./session.tsx";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";

/** Links of the console itself. The way to sign in at an OIDC issuer is one of the server's. */
const SCOPE = /^\/console(?!\/api\/)(?:[/?]|$)/;

export function App(): VNode {
  return (
    <LocationProvider scope={SCOPE}>
      <SessionProvider>
        <Gate />
      </SessionProvider>
    </LocationProvider>
  );
}

function Gate(): VNode {
  const { state, retry } = useSessionState();
  switch (state.is) {
    case "loading":
      return (
        <main id="main" class="starting" aria-busy="true">
          <p role="status">Loading the console …</p>
        </main>
      );
    case "failed":
      return (
        <main id="main" class="starting">
          <Failure error={state.error} title="Could not load the console." retry={retry} />
        </main>
      );
    case "out":
      return <SignIn ways={state.ways} expired={state.expired} refusal={state.refusal} />;
    case "in":
      return (
        <Shell>
          <Pages />
        </Shell>
      );
  }
}

function Pages(): VNode {
  const { url } = useLocation();
  return (
    <ErrorBoundary address={url}>
      <Router>
        <Route path="/console" component={Overview} />
        <Route path="/console/people" component={People} />
        <Route path="/console/people/one" component={Person} />
        <Route path="/console/sessions" component={Sessions} />
        <Route path="/console/sessions/:id" component={Session} />
        <Route path="/console/interceptions/:id" component={Interception} />
        <Route path="/console/live" component={Live} />
        <Route path="/console/overrides" component={Overrides} />
        <Route path="/console/anomalies" component={Anomalies} />
        <Route path="/console/providers" component={Providers} />
        <Route path="/console/seals" component={Seals} />
        <Route path="/console/explain" component={Explain} />
        <Route path="/console/budgets" component={Budgets} />
        <Route path="/console/refusals" component={Refusals} />
        <Route path="/console/passthroughs" component={Passthroughs} />
        <Route path="/console/accesses" component={Accesses} />
        <Route path="/console/unauthenticated-events" component={UnauthenticatedEvents} />
        <Route default component={NotFound} />
      </Router>
    </ErrorBoundary>
  );
}

function NotFound(): VNode {
  return (
    <Page title="There is no such page">
      <p>
        The address may be from another version. Go to the <a href={hrefOf("/")}>overview</a>.
      </p>
    </Page>
  );
}
