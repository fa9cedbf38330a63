/** How we reach Temporal, and what must exist there before a worker starts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { SignalboxError } from '../domain/errors.js';
import { SEARCH_ATTRIBUTES } from '../workflows/search-attributes.js';

/** A Temporal service and how to reach it. */
export interface TemporalTarget {
  /** host:port */
  address: string;
  namespace: string;
  /** TLS, API key and metadata as Temporal's own environment configuration gives them. */
  connectionOptions: NativeConnectionOptions;
}

const RETENTION_SECONDS = 30 * 24 * 3600;
/** Servers look for new namespaces every ten seconds. */
const NAMESPACE_MS = 30_000;
const { IndexedValueType } = proto.temporal.api.enums.v1;
const gRPC = { NOT_FOUND: 5, ALREADY_EXISTS: 6, PERMISSION_DENIED: 7, UNIMPLEMENTED: 12, UNAUTHENTICATED: 16 } as const;

/** A client connection; the caller closes it. */
export async function connectTemporal(target: TemporalTarget): Promise<Connection> {
  const { address, tls, apiKey, metadata } = target.connectionOptions;
  const options: ConnectionOptions = { address: address ?? target.address, connectTimeout: '5s' };
  if (tls !== undefined) options.tls = tls;
  if (apiKey !== undefined) options.apiKey = apiKey;
  if (metadata !== undefined) options.metadata = metadata;
  return Connection.connect(options);
}

/**
 * Sees to it that the namespace and the search attributes exist; makes them where that is allowed, and else names the
 * command that does. Types are compared, because adding an attribute with another type is silently ignored.
 * @param ownServer true for the embedded server: its default retention of one day is raised to thirty
 */
export async function prepareTemporal(connection: Connection, namespace: string, ownServer: boolean): Promise<void> {
  await ensureNamespace(connection, namespace, ownServer);
  await ensureSearchAttributes(connection, namespace);
}

async function ensureNamespace(connection: Connection, namespace: string, ownServer: boolean): Promise<void> {
  const workflowExecutionRetentionTtl = proto.google.protobuf.Duration.fromObject({ seconds: RETENTION_SECONDS });
  try {
    const found = await connection.workflowService.describeNamespace({ namespace });
    if (!ownServer || Number(found.config?.workflowExecutionRetentionTtl?.seconds) >= RETENTION_SECONDS) return;
    await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
  } catch (err) {
    if (code(err) === gRPC.PERMISSION_DENIED && !ownServer) return; // it may be used without leave to describe it
    if (code(err) !== gRPC.NOT_FOUND) throw err;
    await registerNamespace(connection, namespace);
  }
}

async function registerNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    const workflowExecutionRetentionPeriod = proto.google.protobuf.Duration.fromObject({ seconds: RETENTION_SECONDS });
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  } catch (err) {
    if (code(err) === gRPC.ALREADY_EXISTS) return;
    throw new SignalboxError(
      'start-failed',
      `the Temporal namespace ${namespace} does not exist and cannot be made here (${message(err)}): ` +
        `temporal operator namespace create --namespace ${namespace} --retention 30d`,
      {},
      { cause: err },
    );
  }
}

/** What is missing or of another type; empty when all is well. */
export interface AttributeFault {
  name: string;
  found: string | null;
  /** The command that mends it. */
  mend: string;
}

export async function searchAttributeFaults(connection: Connection, namespace: string): Promise<AttributeFault[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const faults: AttributeFault[] = [];
  for (const { name } of SEARCH_ATTRIBUTES) {
    const type = customAttributes[name];
    if (type === IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD) continue;
    const create = `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Keyword`;
    const remove = `temporal operator search-attribute remove --namespace ${namespace} --name ${name}`;
    const mend = type === undefined ? create : `${remove} && ${create}`;
    faults.push({ name, found: type === undefined ? null : typeName(type), mend });
  }
  return faults;
}

async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const faults = await onceNamespaceIsKnown(async () => searchAttributeFaults(connection, namespace)).catch(
    (err: unknown) => {
      // Some services keep the operator's calls to their own console; a missing attribute then fails at first use.
      if (code(err) === gRPC.UNIMPLEMENTED || code(err) === gRPC.PERMISSION_DENIED) return [];
      throw err;
    },
  );
  const wrong = faults.find((fault) => fault.found !== null);
  if (wrong !== undefined) {
    throw new SignalboxError(
      'start-failed',
      `the search attribute ${wrong.name} of the namespace ${namespace} is of type ${wrong.found ?? ''}, not Keyword: ${wrong.mend}`,
    );
  }
  if (faults.length === 0) return;
  const searchAttributes = Object.fromEntries(
    faults.map((fault) => [fault.name, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD]),
  );
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (err) {
    if (code(err) === gRPC.ALREADY_EXISTS) return;
    const commands = faults.map((fault) => fault.mend).join('\n');
    throw new SignalboxError(
      'start-failed',
      `search attributes are missing in the namespace ${namespace} and cannot be made here (${message(err)}):\n${commands}`,
      {},
      { cause: err },
    );
  }
}

/** A namespace made a moment ago is not known to every part of the service yet. */
async function onceNamespaceIsKnown<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + NAMESPACE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (err) {
      if (code(err) !== gRPC.NOT_FOUND || Date.now() > deadline) throw err;
      await sleep(200);
    }
  }
}

const code = (err: unknown): number | undefined => (err as { code?: number }).code;
const message = (err: unknown): string => (err as Error).message;
const typeName = (type: number): string => (IndexedValueType[type] ?? String(type)).replace('INDEXED_VALUE_TYPE_', '');
