/** Whether this process should get traffic; changed by the server as it starts and stops. */
export interface Readiness {
  state: 'starting' | 'ready' | 'stopping'
}
