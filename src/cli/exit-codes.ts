/** What the shell is told. The README's table is compared with this one by a test. */
export const EXIT = {
  /** Done, or stopped as asked. */
  ok: 0,
  /** The answer is no: the config is invalid, or the demo counted a loss. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No cluster to be found: neither a kube context that works nor a service account. */
  noCluster: 3,
  /** It cannot run: the journal or a port cannot be opened, or the disk failed under way. */
  cannotRun: 4,
  /** A second Ctrl-C or SIGTERM: left at once, without losing anything. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An end that the person who called has to know about: printed as it is, without a stack. */
export class Exit extends Error {
  override readonly name = 'Exit';
  readonly code: ExitCode;

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
