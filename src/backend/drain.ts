/**
 * Whether the backends of one name are to have no new requests: as configured, unless an operator has said otherwise, which
 * holds until the process ends, or until there is none of that name.
 */
export class Drain {
  #isConfigured: boolean
  #said: boolean | null = null

  constructor(isConfigured: boolean) {
    this.#isConfigured = isConfigured
  }

  get isOn(): boolean {
    return this.#said ?? this.#isConfigured
  }

  /** By the configuration that is in force from now on. */
  configure(isOn: boolean): void {
    this.#isConfigured = isOn
  }

  /** By an operator. */
  say(isOn: boolean): void {
    this.#said = isOn
  }
}
