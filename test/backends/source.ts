/** A backend that somebody started: plain data that a test can be given, and the way to end it. */
export interface Started<Address> extends AsyncDisposable {
  readonly address: Address;
}

/** The ways to one kind of backend, in the order in which they are tried. */
export interface Source<Address> {
  /** The environment variable that names a running one. */
  readonly variable: string;
  fromVariable(value: string): Address | Promise<Address>;
  startContainer(): Promise<Started<Address>>;
  /** Programs that would be needed here and are not installed. */
  missing(): Promise<readonly string[]>;
  startProgram(): Promise<Started<Address>>;
  /** The address in one line, for people. */
  describe(address: Address): string;
}

/** Hands what a scope has gathered over to the caller, together with the duty to dispose of it. */
export function handOver<Parts extends object>(scope: AsyncDisposableStack, parts: Parts): Parts & AsyncDisposable {
  const owned = scope.move();
  return { ...parts, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
