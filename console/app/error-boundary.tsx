/** Shows an error of the console itself in place of the page, instead of a blank window. */
import { Component, type ComponentChildren } from "preact";

type Props = { readonly address: string; readonly children: ComponentChildren };
type State = { readonly error: Error | null; readonly address: string };

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, address: this.props.address };

  override componentDidCatch(error: Error): void {
    this.setState({ error, address: this.props.address });
  }

  override render(): ComponentChildren {
    const { error, address } = this.state;
    if (error === null || address !== this.props.address) return this.props.children;
    return (
      <div class="card error" role="alert">
        <h1>This page could not be shown</h1>
        <p>The console failed on this address. The records are not affected.</p>
        <pre tabIndex={0}>{error.message.slice(0, 500)}</pre>
        <p>
          <a href={this.props.address}>Try again</a>, or go to the <a href="/console">overview</a>.
        </p>
      </div>
    );
  }
}
