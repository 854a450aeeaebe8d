import assert from 'node:assert/strict'
import type { Waiting } from '../../src/backend/admission.ts'
import { Admission, type AdmissionRequest, type Candidate, type Place } from '../../src/backend/admission.ts'
import { Fault, type RefusalReason } from '../../src/backend/fault.ts'
import { Refusal } from '../../src/backend/refusal.ts'
import type { Turn } from '../../src/domain/fair-queue.ts'
import { NaiveQueue } from '../domain/naive-queue.ts'
import { type Arrival, pick, type Step } from './admission-steps.ts'
import { requestFor, ScriptedServer } from './admission-world.ts'

interface Known {
  readonly id: number
  readonly request: AdmissionRequest
  readonly turn: Turn
  readonly untilMs: number
  state: 'new' | 'waiting' | 'chosen' | 'placed' | 'released' | 'refused' | 'cancelled'
  place: Place | null
  waiting: Waiting | null
}

/** An admission with three backends, and beside it what it has to do: a naive list for each of them. */
export class AdmissionModel {
  readonly #maxWaiting: number
  readonly #tick: (ms: number) => void
  readonly #admission: Admission
  readonly #servers = ['one', 'two', 'three'].map((name, index) => new ScriptedServer(name, index))
  readonly #queues = new Map(this.#servers.map(({ name }) => [name, new NaiveQueue()]))
  readonly #calls: Known[] = []
  /** Those whose admission has not returned yet; the innermost last. */
  readonly #arriving: Known[] = []
  #nowMs = 0
  #gauge = 0

  constructor(maxWaiting: number, tick: (ms: number) => void) {
    this.#maxWaiting = maxWaiting
    this.#tick = tick
    this.#admission = new Admission({
      maxWaiting,
      nowMs: () => this.#nowMs,
      events: {
        onJoined: (request, position) => this.#onJoined(this.#find(request), position),
        onLeft: () => void this.#gauge--,
        onAdmitted: (request, place) => this.#onAdmitted(this.#find(request), place),
        onRefused: (request, reason) => this.#onRefused(this.#find(request), reason),
      },
    })
  }

  take(step: Step): void {
    switch (step.do) {
      case 'admit':
        this.#admit(step)
        break
      case 'release':
        this.#release(pick(this.#in('placed'), step.which))
        break
      case 'cancel':
        this.#cancel(pick(this.#in('waiting'), step.which))
        break
      case 'slots':
      case 'open':
      case 'close':
        this.#change(step)
        break
      case 'tick':
        this.#nowMs += step.ms
        this.#tick(step.ms)
    }
    this.#check()
  }

  /** Everybody goes, and nothing is left. */
  async end(): Promise<void> {
    for (const call of this.#in('waiting')) this.#cancel(call)
    for (const call of this.#in('placed')) this.#release(call)
    this.#check()
    for (const { name } of this.#servers) {
      assert.deepEqual([this.#admission.inFlight(name), this.#admission.waiting(name)], [0, 0])
    }
    for (const { waiting, place, state } of this.#calls) {
      if (waiting === null) continue
      const outcome = await waiting.place.catch((error: unknown) => error)
      if (state === 'released') assert.equal(outcome, place)
      else assert.ok(state === 'refused' ? outcome instanceof Refusal : outcome instanceof Fault)
    }
  }

  #in(state: Known['state']): Known[] {
    return this.#calls.filter(call => call.state === state)
  }

  #find(request: AdmissionRequest): Known {
    return this.#calls.find(call => call.request === request) ?? assert.fail('nobody asked for it')
  }

  #admit(arrival: Arrival): void {
    const { account, priority, isRetry, waitMs } = arrival
    const request = requestFor({
      ...arrival,
      servers: arrival.servers.flatMap(index => this.#servers[index] ?? []),
      choose: free => this.#choose(call, arrival, free),
    })
    const call: Known = {
      id: this.#calls.length,
      request,
      turn: { account, priority, isAhead: isRetry },
      untilMs: this.#nowMs + waitMs,
      state: 'new',
      place: null,
      waiting: null,
    }
    this.#calls.push(call)
    this.#arriving.push(call)
    const admitted = this.#admission.admit(request)
    this.#arriving.pop()
    if ('place' in admitted) call.waiting = admitted
    else assert.equal(call.place, admitted)
  }

  #choose(call: Known, arrival: Arrival, free: readonly Candidate[]): Candidate {
    const candidate = pick(free, arrival.pick) ?? assert.fail('nothing is free')
    for (const { server } of free) {
      assert.ok(server.isOpen(arrival.endpoint) && this.#hasRoom(server))
      const next = this.#queueOf(server.name).shift(id => this.#mayUse(id, server.name))
      if (call.state === 'waiting') assert.equal(next, call.id, 'it is not its turn')
      else assert.equal(next, null, 'somebody waits for this slot')
    }
    if (call.state === 'waiting') this.#forget(call)
    call.state = 'chosen'
    this.#disturb(arrival, candidate)
    return candidate
  }

  #disturb(arrival: Arrival, { server }: Candidate): void {
    const chosen = this.#servers.find(({ name }) => name === server.name) ?? assert.fail()
    switch (arrival.during) {
      case 'release':
        this.#release(pick(this.#in('placed'), arrival.pick))
        break
      case 'wake':
        this.#admission.wake(chosen)
        break
      case 'probe':
        chosen.closed.add(arrival.endpoint)
        this.#admission.wake(chosen)
        break
      case 'admit':
        this.#admit({ ...arrival, during: 'nothing' })
        break
      case 'nothing':
    }
  }

  #release(call: Known | undefined): void {
    if (call === undefined) return
    call.state = 'released'
    call.place?.release()
    call.place?.release()
  }

  #cancel(call: Known | undefined): void {
    if (call === undefined) return
    call.state = 'cancelled'
    this.#forget(call)
    call.waiting?.cancel()
  }

  #change(step: Step & { readonly server: number }): void {
    const server = this.#servers[step.server] ?? assert.fail()
    if (step.do === 'slots') server.slots = step.slots
    else if (step.do === 'open') server.closed.delete(step.endpoint)
    else if (step.do === 'close') server.closed.add(step.endpoint)
    this.#admission.wake(server)
  }

  #onJoined(call: Known, position: number): void {
    this.#gauge++
    call.state = 'waiting'
    const queues = call.request.candidates.map(({ server }) => this.#queueOf(server.name))
    for (const queue of queues) queue.push(call.id, call.turn)
    assert.equal(position, Math.min(...queues.map(queue => queue.order().indexOf(call.id))))
  }

  #onAdmitted(call: Known, place: Place): void {
    assert.equal(call.state, 'chosen')
    assert.ok(this.#hasRoom(place.candidate.server), 'more places than slots')
    assert.equal(place.waitedMs, this.#nowMs - (call.untilMs - call.request.waitMs))
    call.state = 'placed'
    call.place = place
  }

  #onRefused(call: Known, reason: RefusalReason): void {
    const { request, state } = call
    assert.ok(state === 'new' || state === 'waiting', state)
    call.state = 'refused'
    const isOpen = request.candidates.some(({ server }) => server.isOpen(request.endpoint))
    assert.equal(reason === 'no-backend', !isOpen && reason !== 'queue-timeout')
    if (reason === 'queue-timeout') assert.ok(this.#nowMs >= call.untilMs)
    if (reason === 'queue-full') this.#checkDisplaced(call, state)
    this.#forget(call)
  }

  /** Either the one who came, and nobody had to give way, or the one who had to. */
  #checkDisplaced(call: Known, state: Known['state']): void {
    const { turn, request } = this.#arriving.at(-1) ?? assert.fail('nobody comes')
    const open = request.candidates.filter(({ server }) => server.isOpen(request.endpoint))
    const queues = open.map(({ server }) => this.#queueOf(server.name))
    for (const { waiting } of queues) assert.ok(waiting.length >= this.#maxWaiting, 'there was room')
    let displaced: number | null = null
    for (const queue of queues) displaced ??= queue.displaceFor(turn)
    assert.equal(displaced, state === 'waiting' ? call.id : null)
  }

  #check(): void {
    const waiting = this.#in('waiting')
    assert.equal(this.#gauge, waiting.length)
    assert.ok(waiting.length <= this.#maxWaiting * this.#servers.length)
    for (const { name } of this.#servers) {
      assert.equal(this.#admission.inFlight(name), this.#heldOn(name))
      assert.equal(this.#admission.waiting(name), this.#queueOf(name).waiting.length)
    }
    for (const { id, request, untilMs } of waiting) {
      assert.ok(untilMs > this.#nowMs, 'it waits too long')
      const open = request.candidates.filter(({ server }) => this.#mayUse(id, server.name))
      assert.ok(open.length > 0, 'it waits for nothing')
      assert.ok(!open.some(({ server }) => this.#hasRoom(server)), 'it waits although a slot is free')
    }
  }

  #forget({ id }: Known): void {
    for (const queue of this.#queues.values()) queue.remove(id)
  }

  #queueOf(name: string): NaiveQueue {
    return this.#queues.get(name) ?? assert.fail(name)
  }

  #heldOn(name: string): number {
    return this.#in('placed').filter(({ place }) => place?.candidate.server.name === name).length
  }

  #hasRoom({ name, slots }: Candidate['server']): boolean {
    return slots === null || this.#heldOn(name) < slots
  }

  #mayUse(id: number, name: string): boolean {
    const { endpoint, candidates } = (this.#calls[id] ?? assert.fail(String(id))).request
    return candidates.some(({ server }) => server.name === name && server.isOpen(endpoint))
  }
}
