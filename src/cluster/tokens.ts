import type { Clock } from "../core/clock.ts";
import { refused, usageError } from "../core/errors.ts";
import { randomSecret } from "../core/random.ts";
import { registerSecret } from "../core/mask.ts";
import { signToken, type RoleLimit } from "./admission.ts";
import type { Credentials } from "./identity.ts";
import { caHash } from "./pki.ts";
import { signer } from "./trust.ts";
import type { StateParts, TokenRecord } from "./schema.ts";
import type { SharedState } from "./state.ts";
import { formatToken, hashSecret } from "./token.ts";

export interface TokensOptions {
  credentials: () => Credentials;
  state: SharedState;
  clock: Clock;
  roleLimit: (role: string) => RoleLimit | undefined;
  spread: (parts: Partial<StateParts>) => Promise<void>;
  /** Throws while nobody is let in. */
  checkOpen: () => void;
  /** Where members take joiners: `ADDRESS` or `ADDRESS:PORT`. */
  doors: () => string[];
}

export interface TokenView {
  id: string;
  /** Seconds since the epoch. */
  expiry: number;
  /** Empty: any. */
  roles: readonly string[];
  /** 0: without limit. */
  uses: number;
  /** Names of those that entered with it. */
  used_by: string[];
  state: "valid" | "expired" | "used_up" | "revoked";
}

/** Invitations to the cluster. Every member knows all of them, so that one can be redeemed at any member. */
export class Tokens {
  private readonly options: TokensOptions;

  constructor(options: TokensOptions) {
    this.options = options;
  }

  /**
   * The secret is in the returned text alone; the cluster keeps its hash.
   * @throws ChimeError `token.witness` on a member without the CA, `role.unknown`, `ca.beginning`
   */
  async create(wish: {
    ttlSeconds: number;
    /** 0: without limit. */
    uses: number;
    /** Empty: any. */
    roles: readonly string[];
  }): Promise<{ token: string; id: string }> {
    const { credentials, clock, roleLimit, spread, doors } = this.options;
    const { identity } = credentials();
    const authority = signer(credentials());
    if (!authority) {
      throw refused(
        "token.witness",
        "a witness holds no CA, so it can invite nobody",
        "chime-node token create, on a member that is not a witness",
      );
    }
    const unknown = wish.roles.find((role) => !roleLimit(role));
    if (unknown) throw usageError("role.unknown", `there is no role ${unknown}`, "chime-node join --help");
    this.options.checkOpen();
    const secret = registerSecret(randomSecret());
    const common = {
      id: randomSecret(8).toLowerCase(),
      expiry: Math.floor(clock.wall() / 1000) + wish.ttlSeconds,
      roles: [...wish.roles],
      uses: wish.uses,
    };
    const record = signToken(authority.key, identity.cluster.id, {
      ...common,
      hash: hashSecret(secret),
      usedBy: [],
      revoked: false,
    });
    await spread({ tokens: [record] });
    const token = formatToken({
      ...common,
      cluster: identity.cluster.id,
      addresses: doors(),
      ca: caHash(authority.cert),
      secret,
    });
    return { token, id: common.id };
  }

  list(): TokenView[] {
    const { state, clock } = this.options;
    const now = clock.wall() / 1000;
    return state
      .allTokens()
      .sort((a, b) => a.expiry - b.expiry)
      .map((token) => ({
        id: token.id,
        expiry: token.expiry,
        roles: token.roles,
        uses: token.uses,
        used_by: token.usedBy.map((index) => state.admission(index)?.name ?? `#${index}`),
        state: tokenState(token, now),
      }));
  }

  /** @throws ChimeError `token.unknown` */
  async revoke(id: string): Promise<void> {
    const token = this.options.state.token(id);
    if (!token) {
      throw refused("token.unknown", `there is no token ${id}`, "chime-node token list");
    }
    await this.options.spread({ tokens: [{ ...token, revoked: true }] });
  }
}

function tokenState(token: TokenRecord, nowSeconds: number): TokenView["state"] {
  if (token.revoked) return "revoked";
  if (nowSeconds >= token.expiry) return "expired";
  return token.uses > 0 && token.usedBy.length >= token.uses ? "used_up" : "valid";
}
