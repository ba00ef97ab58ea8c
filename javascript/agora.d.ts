// Types of what Agora gives to apps in JavaScript and TypeScript. `agora types` writes this file.
//
//   /// <reference path="./agora.d.ts" />
//   export default {
//     async fetch(request, env) {
//       return new Response(`Hello ${(await env.KV.get("name")) ?? "world"}`);
//     },
//   } satisfies Agora.App;
//
// Request, Response, URL, streams and so on are those of the editor's own libraries: TypeScript knows them
// without a configuration. With a tsconfig.json, "lib": ["ESNext", "WebWorker", "WebWorker.Iterable",
// "WebWorker.AsyncIterable"] come nearest. docs/javascript.md lists the parts of them
// that apps do not have.

declare namespace Agora {
  /** The default export of an app: at least one of its handlers. */
  interface App {
    /** Handles an HTTP request. */
    fetch?(request: Request, env: Env, ctx: Context): Response | Promise<Response>;
    /** Runs when a [[triggers.cron]] of the manifest is due. To throw, or to return a Response of 500 and above, is to fail: it is tried again. */
    scheduled?(event: ScheduledEvent, env: Env, ctx: Context): unknown;
    /** Takes an event of a topic that a [[triggers.on]] of the manifest names. To throw is to fail: it is delivered again. */
    event?(event: DeliveredEvent, env: Env, ctx: Context): unknown;
  }

  /** What the app reaches beyond itself. Each part needs its capability in the manifest, and a grant. */
  interface Env {
    readonly KV: KV;
    readonly BLOB: Blobs;
    readonly LLM: Models;
    readonly SECRETS: Secrets;
    readonly EVENTS: Events;
    /** The settings of the manifest's [config]. A name that is not there is undefined. */
    readonly config: { readonly [name: string]: string | undefined };
  }

  interface Context {
    /** Keeps the invocation until the promise is settled. The response waits for it. */
    waitUntil(promise: unknown): void;
    /** Does nothing. It is there for programs written for other hosts. */
    passThroughOnException(): void;
  }

  /** An error of a capability: its code says why it was refused. */
  interface CapabilityError extends Error {
    readonly code: "invalid" | "not-found" | "denied" | "quota" | "too-large" | "unavailable" | "conflict" | "deadline" | "refused";
  }

  type Data = string | ArrayBuffer | ArrayBufferView | Blob | ReadableStream;
  type As = "text" | "json" | "bytes" | "arrayBuffer" | "stream";
  interface AsTypes { text: string; json: any; bytes: Uint8Array<ArrayBuffer>; arrayBuffer: ArrayBuffer; stream: ReadableStream<Uint8Array<ArrayBuffer>> }

  interface Lifetime {
    /** Seconds from now after which the entry is gone. */
    expirationTtl?: number;
    /** A time, in seconds since 1970, after which the entry is gone. */
    expiration?: number;
  }
  interface Page<Entry> {
    keys: Entry[];
    /** Whether these are the last ones. If not, ask again with the cursor. */
    list_complete: boolean;
    cursor?: string;
  }

  /** Small values by key: [capabilities.kv]. */
  interface KV {
    get(key: string): Promise<string | null>;
    get<T = unknown>(key: string, type: "json" | { type: "json" }): Promise<T | null>;
    get<A extends As>(key: string, type: A | { type: A }): Promise<AsTypes[A] | null>;
    put(key: string, value: Data, options?: Lifetime): Promise<void>;
    delete(key: string): Promise<void>;
    list(options?: { prefix?: string; cursor?: string }): Promise<Page<{ name: string }>>;
    /**
     * Writes `after` only if the entry still is `before`, and returns whether it did. null stands for no entry,
     * before or after. It is how two requests at once do not undo each other.
     */
    swap(key: string, before: Data | null, after: Data | null, options?: Lifetime): Promise<boolean>;
  }

  /** Large values by name: [capabilities.blob]. */
  interface Blobs {
    get(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
    get(name: string, options: { range: { offset?: number; length?: number } }): Promise<string | null>;
    get<T = unknown>(name: string, type: "json" | { type: "json" }): Promise<T | null>;
    get<A extends As>(name: string, type: A | { type: A; range?: { offset?: number; length?: number } }): Promise<AsTypes[A] | null>;
    put(name: string, value: Data): Promise<void>;
    head(name: string): Promise<{ name: string; size: number; modified: Date; sha256: string } | null>;
    delete(name: string): Promise<void>;
    list(options?: { prefix?: string; cursor?: string }): Promise<Page<{ name: string; size: number }>>;
  }

  /** Secrets that an operator or owner has set: [capabilities.secret]. */
  interface Secrets {
    get(name: string): Promise<string | null>;
  }

  /** Events for other apps, or for later: [capabilities.events]. */
  interface Events {
    /** Publishes an event and returns its id. The same key publishes once in a day. */
    publish(topic: string, payload: unknown, options?: { key?: string }): Promise<string>;
  }

  /** Language models: [capabilities.llm]. Requests and responses are OpenAI's chat completions. */
  interface Models {
    chat(request: ChatRequest & { stream: true }): Promise<AsyncIterable<ChatChunk>>;
    chat(request: ChatRequest & { stream?: false }): Promise<ChatCompletion>;
  }
  interface ChatMessage {
    role: "system" | "developer" | "user" | "assistant" | "tool";
    content?: string | null | { type: string; [key: string]: unknown }[];
    tool_calls?: ToolCall[];
    tool_call_id?: string;
    name?: string;
    [key: string]: unknown;
  }
  interface ToolCall { id: string; type: "function"; function: { name: string; arguments: string } }
  interface ChatRequest {
    /** A name that the manifest lists in [capabilities.llm] models. */
    model: string;
    messages: ChatMessage[];
    max_completion_tokens?: number;
    temperature?: number;
    top_p?: number;
    stop?: string | string[];
    tools?: { type: "function"; function: { name: string; description?: string; parameters?: object; strict?: boolean } }[];
    tool_choice?: unknown;
    response_format?: unknown;
    [key: string]: unknown;
  }
  interface TokenUsage { prompt_tokens: number; completion_tokens: number; total_tokens: number; [key: string]: unknown }
  interface ChatCompletion {
    id: string;
    model: string;
    created: number;
    choices: { index: number; message: ChatMessage & { content: string | null }; finish_reason: string | null }[];
    usage?: TokenUsage;
    [key: string]: unknown;
  }
  interface ChatChunk {
    id: string;
    model: string;
    choices: { index: number; delta: Partial<ChatMessage> & { content?: string | null }; finish_reason: string | null }[];
    usage?: TokenUsage | null;
    [key: string]: unknown;
  }

  interface Firing {
    /** The trigger's name in the manifest; of an event: app/topic. */
    readonly name: string;
    /** The same at every attempt: an app that remembers it does nothing twice. */
    readonly id: string;
    readonly attempt: number;
    /** When it was due, or published. */
    readonly time: Date;
    readonly request: Request;
  }
  interface ScheduledEvent extends Firing {
    readonly type: "scheduled";
    /** The trigger's name. */
    readonly cron: string;
    readonly scheduledTime: number;
  }
  interface DeliveredEvent extends Firing {
    readonly type: "event";
    /** The app that published it. */
    readonly from: string;
    readonly topic: string;
    text(): Promise<string>;
    json<T = any>(): Promise<T>;
    bytes(): Promise<Uint8Array<ArrayBuffer>>;
  }
}
