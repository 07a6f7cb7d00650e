/** The API's responses and parameters. Generated from docs/openapi.json by `npm run openapi`. */

export type Responses = {
  "/sessions": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly sessions: readonly {
      readonly id: string;
      readonly initiator: {
        readonly id: string;
        readonly username: string;
        readonly name: string;
        readonly avatar_url: string;
      };
      readonly initiator_source: string;
      readonly actor_id: string;
      readonly identity_source: string;
      readonly attribution: string;
      readonly mixed: boolean;
      readonly providers: readonly string[];
      readonly models: readonly string[];
      readonly client: string;
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly started_at: string;
      readonly ended_at?: string;
      readonly first_interception_id: string;
      readonly interceptions: number;
      readonly agent_count: number;
      readonly usage_complete: boolean;
      readonly actor_ids: readonly string[];
      readonly attributions: readonly string[];
      readonly truncated_fields: readonly string[];
      readonly cursor: string;
      readonly threads: number;
      readonly token_usage_summary: {
        readonly input_tokens: number;
        readonly output_tokens: number;
        readonly cache_read_input_tokens: number;
        readonly cache_write_input_tokens: number;
      };
      readonly last_prompt?: string | null;
      readonly last_active_at: string;
    }[];
    readonly content_hidden?: boolean;
  };
  "/sessions/{session_id}": {
    readonly id: string;
    readonly initiator: {
      readonly id: string;
      readonly username: string;
      readonly name: string;
      readonly avatar_url: string;
    };
    readonly initiator_source: string;
    readonly actor_id: string;
    readonly identity_source: string;
    readonly attribution: string;
    readonly mixed: boolean;
    readonly providers: readonly string[];
    readonly models: readonly string[];
    readonly client: string;
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly started_at: string;
    readonly ended_at?: string;
    readonly first_interception_id: string;
    readonly interceptions: number;
    readonly agent_count: number;
    readonly usage_complete: boolean;
    readonly actor_ids: readonly string[];
    readonly attributions: readonly string[];
    readonly truncated_fields: readonly string[];
    readonly page_started_at?: string;
    readonly page_ended_at?: string;
    readonly token_usage_summary: {
      readonly input_tokens: number;
      readonly output_tokens: number;
      readonly cache_read_input_tokens: number;
      readonly cache_write_input_tokens: number;
      readonly metadata: Readonly<Record<string, unknown>>;
    };
    readonly thread_count: number;
    readonly threads: readonly {
      readonly id: string;
      readonly prompt?: string | null;
      readonly model: string;
      readonly provider: string;
      readonly credential_kind: string;
      readonly credential_hint: string;
      readonly actor_id: string;
      readonly identity_source: string;
      readonly attribution: string;
      readonly mixed: boolean;
      readonly agent_id: string | null;
      readonly started_at: string;
      readonly ended_at?: string;
      readonly outcome: string | null;
      readonly usage_complete: boolean;
      readonly token_usage: {
        readonly input_tokens: number;
        readonly output_tokens: number;
        readonly cache_read_input_tokens: number;
        readonly cache_write_input_tokens: number;
        readonly metadata: Readonly<Record<string, unknown>>;
      };
      readonly agentic_actions: readonly {
        readonly interception_id: string;
        readonly actor_id: string;
        readonly identity_source: string;
        readonly attribution: string;
        readonly model: string;
        readonly token_usage: {
          readonly input_tokens: number;
          readonly output_tokens: number;
          readonly cache_read_input_tokens: number;
          readonly cache_write_input_tokens: number;
          readonly metadata: Readonly<Record<string, unknown>>;
        };
        readonly thinking: readonly { readonly text: string | null }[];
        readonly tool_calls: readonly {
          readonly id: string;
          readonly interception_id: string;
          readonly provider_response_id: string;
          readonly server_url: string;
          readonly tool: string;
          readonly injected: boolean;
          readonly input: string | null;
          readonly metadata: Readonly<Record<string, unknown>>;
          readonly created_at: string;
        }[];
      }[];
    }[];
    readonly unrecorded_prompts:
      readonly { readonly sha256: string; readonly interception_id: string }[] | null;
    readonly unrecorded_prompts_are_capped: boolean | null;
    readonly content_hidden?: boolean;
  };
  "/sessions/{session_id}/agents": {
    readonly count: number;
    readonly attribution: string;
    readonly mixed: boolean;
    readonly agents: readonly {
      readonly agent_id: string | null;
      readonly parent_agent_id: string | null;
      readonly stated_parent_agent_id: string | null;
      readonly spawned_by_interception_id: string | null;
      readonly first_interception_id: string;
      readonly started_at: string;
      readonly last_active_at: string;
      readonly ended_at?: string;
      readonly attribution: string;
      readonly mixed: boolean;
      readonly interceptions: number;
      readonly prompts: number;
      readonly request_classes: readonly string[];
      readonly request_classes_are_capped: boolean;
      readonly usage_complete: boolean;
      readonly token_usage_summary: {
        readonly input_tokens: number;
        readonly output_tokens: number;
        readonly cache_read_input_tokens: number;
        readonly cache_write_input_tokens: number;
      };
    }[];
  };
  "/interceptions": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly initiator_id: string;
      readonly actor_id: string;
      readonly attribution: string;
      readonly actor_kind: string;
      readonly identity_source: string;
      readonly client: string;
      readonly user_agent: string | null;
      readonly client_session_id: string | null;
      readonly chat_id: string | null;
      readonly subchat_id: string | null;
      readonly workspace_id: string | null;
      readonly delegated_key_id: string | null;
      readonly delegated_source: string | null;
      readonly claimed_ids: Readonly<Record<string, unknown>> | null;
      readonly initiator_source: string;
      readonly api_key_id: string;
      readonly provider: string;
      readonly provider_type: string;
      readonly route: string;
      readonly model: string | null;
      readonly streaming: boolean;
      readonly credential_kind: string;
      readonly credential_hint: string | null;
      readonly started_at: string;
      readonly worker_version: string | null;
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly initiator_name: string | null;
      readonly flags: readonly string[];
      readonly correlating_tool_call_id: string | null;
      readonly prompt_count: number | null;
      readonly earlier_prompt_count: number | null;
      readonly prompt_hashes: readonly string[] | null;
      readonly earlier_prompt_hashes: readonly string[] | null;
      readonly agent_id: string | null;
      readonly parent_agent_id: string | null;
      readonly client_prompt_id: string | null;
      readonly request_class: string | null;
      readonly client_kind: string | null;
      readonly end_user: string | null;
      readonly request_encoding: string | null;
      readonly delegation_chain: readonly string[];
      readonly request_sha256: string | null;
      readonly config_version: string | null;
      readonly client_country: string | null;
      readonly client_ray: string | null;
      readonly client_ip: string | null;
      readonly outcome: string | null;
      readonly status: number | null;
      readonly finish_reason: string | null;
      readonly error: string | null;
      readonly error_message: string | null;
      readonly tool_call_count: number | null;
      readonly thought_count: number | null;
      readonly input_tokens: number | null;
      readonly output_tokens: number | null;
      readonly cache_read_input_tokens: number | null;
      readonly cache_write_input_tokens: number | null;
      readonly usage: string | null;
      readonly usage_invalid: boolean | null;
      readonly observation: string | null;
      readonly provider_response_id: string | null;
      readonly response_model: string | null;
      readonly service_tier: string | null;
      readonly speed: string | null;
      readonly inference_geo: string | null;
      readonly reported_cost: string | null;
      readonly cost_micros: number | null;
      readonly cost_source: string | null;
      readonly price_version: string | null;
      readonly response_bytes: number | null;
      readonly first_byte_ms: number | null;
      readonly duration_ms: number | null;
      readonly ended_at: string | null;
      readonly provider_request_id: string | null;
      readonly provider_ray: string | null;
      readonly response_encoding: string | null;
      readonly usage_opt_in: string | null;
      readonly own_key_rejected: boolean | null;
      readonly upload_sha256: string | null;
      readonly response_sha256: string | null;
      readonly usage_state: string | null;
      readonly session_id: string;
      readonly thread_parent_id: string | null;
      readonly thread_root_id: string | null;
      readonly initiator: {
        readonly id: string;
        readonly username: string;
        readonly name: string;
        readonly avatar_url: string;
      };
      readonly token_usages: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly provider_response_id: string | null;
        readonly input_tokens: number | null;
        readonly output_tokens: number | null;
        readonly cache_read_input_tokens: number | null;
        readonly cache_write_input_tokens: number | null;
        readonly usage: string;
        readonly metadata: Readonly<Record<string, unknown>>;
        readonly raw_usage: string | null;
        readonly created_at: string;
      }[];
      readonly user_prompts: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly provider_response_id: string | null;
        readonly prompt: string | null;
        readonly truncated: boolean;
        readonly created_at: string;
        readonly metadata: Readonly<Record<string, unknown>>;
      }[];
      readonly tool_usages: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly provider_response_id: string | null;
        readonly provider_tool_call_id: string | null;
        readonly tool: string;
        readonly input: string | null;
        readonly truncated: boolean;
        readonly server_url: string | null;
        readonly injected: boolean;
        readonly invocation_error: string | null;
        readonly position: number;
        readonly created_at: string;
        readonly metadata: Readonly<Record<string, unknown>>;
      }[];
      readonly model_thoughts: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly provider_response_id: string | null;
        readonly content: string | null;
        readonly truncated: boolean;
        readonly position: number;
        readonly created_at: string;
        readonly metadata: Readonly<Record<string, unknown>>;
      }[];
      readonly cost_corrections: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly position: number;
        readonly corrects: string;
        readonly cost_micros: number | null;
        readonly cost_source: string;
        readonly price_version: string | null;
        readonly former_cost_micros: number | null;
        readonly former_cost_source: string;
        readonly former_price_version: string | null;
        readonly difference_micros: number;
        readonly cause: string;
        readonly corrected_by: string;
        readonly created_at: string;
      }[];
      readonly attempts: readonly {
        readonly id: string;
        readonly interception_id: string;
        readonly position: number;
        readonly provider: string;
        readonly sent_model: string | null;
        readonly key_hint: string | null;
        readonly reason: string;
        readonly status: number | null;
        readonly waited_ms: number;
        readonly duration_ms: number;
        readonly cost_micros: number | null;
        readonly started_at: string;
        readonly created_at: string;
        readonly ai_gateway_log_id: string | null;
        readonly ai_gateway_cache: string | null;
      }[];
    }[];
    readonly content_hidden?: boolean;
  };
  "/overrides": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly accepted: boolean;
      readonly interception_id: string;
      readonly initiator_id: string;
      readonly actor_id: string;
      readonly attribution: string;
      readonly actor_kind: string;
      readonly identity_source: string;
      readonly client: string;
      readonly user_agent: string | null;
      readonly client_session_id: string | null;
      readonly chat_id: string | null;
      readonly subchat_id: string | null;
      readonly workspace_id: string | null;
      readonly delegated_key_id: string | null;
      readonly delegated_source: string | null;
      readonly claimed_ids: Readonly<Record<string, unknown>> | null;
      readonly initiator_source: string;
      readonly api_key_id: string | null;
      readonly owner_id: string | null;
      readonly owner_username: string | null;
      readonly rule: string | null;
      readonly signature: string | null;
      readonly directory: string | null;
      readonly provider: string;
      readonly created_at: string;
      readonly delegation_chain: readonly string[];
      readonly reason: string | null;
      readonly value_length: number | null;
      readonly value_sha256: string | null;
      readonly actor_name: string | null;
    }[];
  };
  "/passthroughs": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly initiator_id: string;
      readonly actor_id: string;
      readonly attribution: string;
      readonly actor_kind: string;
      readonly identity_source: string;
      readonly client: string;
      readonly user_agent: string | null;
      readonly client_session_id: string | null;
      readonly chat_id: string | null;
      readonly subchat_id: string | null;
      readonly workspace_id: string | null;
      readonly delegated_key_id: string | null;
      readonly delegated_source: string | null;
      readonly claimed_ids: Readonly<Record<string, unknown>> | null;
      readonly initiator_source: string;
      readonly api_key_id: string | null;
      readonly method: string;
      readonly provider: string;
      readonly provider_type: string;
      readonly route: string;
      readonly started_at: string;
      readonly worker_version: string | null;
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly initiator_name: string | null;
      readonly config_version: string | null;
      readonly client_country: string | null;
      readonly client_ray: string | null;
      readonly client_ip: string | null;
      readonly outcome: string | null;
      readonly status: number | null;
      readonly error: string | null;
      readonly duration_ms: number | null;
      readonly usage_of: string | null;
      readonly result_count: number | null;
      readonly ended_at: string | null;
      readonly provider_request_id: string | null;
      readonly provider_ray: string | null;
      readonly response_encoding: string | null;
      readonly own_key_rejected: boolean | null;
      readonly object_ids: readonly string[];
      readonly request_sha256: string | null;
      readonly initiator: {
        readonly id: string;
        readonly username: string;
        readonly name: string;
        readonly avatar_url: string;
      };
    }[];
  };
  "/usage": {
    readonly group_by: string;
    readonly started_after: string;
    readonly started_before: string;
    readonly count: number;
    readonly results: readonly {
      readonly key: string | null;
      readonly source: string | null;
      readonly name: string | null;
      readonly requests: number;
      readonly input_tokens: number;
      readonly output_tokens: number;
      readonly cache_read_input_tokens: number;
      readonly cache_write_input_tokens: number;
      readonly unknown_usage: number;
      readonly cost_micros: number;
      readonly unpriced: number;
      readonly attribution: string;
      readonly mixed: boolean;
    }[];
    readonly results_are_capped: boolean;
  };
  "/spend": {
    readonly group_by: string;
    readonly then_by: string | null;
    readonly started_after: string;
    readonly started_before: string;
    readonly count: number;
    readonly results: readonly {
      readonly key: string | null;
      readonly source: string | null;
      readonly name: string | null;
      readonly second: {
        readonly key: string | null;
        readonly source: string | null;
        readonly name: string | null;
      } | null;
      readonly cost_micros: number;
      readonly unpriced: number;
      readonly requests: number;
      readonly input_tokens: number;
      readonly output_tokens: number;
      readonly cache_read_input_tokens: number;
      readonly cache_write_input_tokens: number;
      readonly attribution: string;
      readonly mixed: boolean;
    }[];
    readonly results_are_capped: boolean;
  };
  "/providers": {
    readonly group_by: string;
    readonly started_after: string;
    readonly started_before: string;
    readonly count: number;
    readonly results: readonly {
      readonly provider_name: string | null;
      readonly key: string | null;
      readonly requests: number;
      readonly failures: {
        readonly client_error: number;
        readonly rate_limited: number;
        readonly server_error: number;
        readonly broken: number;
        readonly cancelled: number;
      };
      readonly first_byte_ms: {
        readonly calls: number;
        readonly p50: number | null;
        readonly p95: number | null;
        readonly p99: number | null;
      };
      readonly duration_ms: {
        readonly calls: number;
        readonly p50: number | null;
        readonly p95: number | null;
        readonly p99: number | null;
      };
    }[];
    readonly results_are_capped: boolean;
  };
  "/providers/attempts": {
    readonly started_after: string;
    readonly started_before: string;
    readonly count: number;
    readonly results: readonly {
      readonly provider_name: string;
      readonly key_hint: string | null;
      readonly reason:
        | "used"
        | "key_rejected"
        | "rate_limited"
        | "unavailable"
        | "unreachable"
        | "server_error"
        | "connection_lost"
        | "circuit_open"
        | "busy"
        | "timed_out"
        | "other";
      readonly attempts: number;
      readonly last_started_at: string;
    }[];
  };
  "/attribution": {
    readonly started_after: string;
    readonly started_before: string;
    readonly attribution: string | null;
    readonly mixed: boolean;
    readonly results: readonly {
      readonly day: string;
      readonly attribution: string;
      readonly requests: number;
      readonly tokens: number;
      readonly share_of_requests: number;
      readonly share_of_tokens: number | null;
      readonly unknown_usage: number;
    }[];
  };
  "/anomalies": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly kind: string;
      readonly subject: string;
      readonly first_interception_id: string;
      readonly last_interception_id: string;
      readonly count: number;
      readonly details: Readonly<Record<string, unknown>>;
      readonly first_seen: string;
      readonly last_seen: string;
    }[];
  };
  "/refusals": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly interception_id: string;
      readonly reason: string;
      readonly status: number;
      readonly detail: string | null;
      readonly method: string;
      readonly provider: string | null;
      readonly route: string | null;
      readonly client: string | null;
      readonly actor_id: string | null;
      readonly actor_kind: string | null;
      readonly initiator_id: string | null;
      readonly created_at: string;
      readonly worker_version: string | null;
      readonly identity_source: string | null;
      readonly actor_verified: boolean;
      readonly api_key_id: string | null;
      readonly initiator_source: string | null;
      readonly client_country: string | null;
      readonly client_ray: string | null;
      readonly client_ip: string | null;
      readonly object_ids: readonly string[];
    }[];
  };
  "/refusals/counts": {
    readonly per: string;
    readonly started_after: string;
    readonly started_before: string;
    readonly count: number;
    readonly results: readonly {
      readonly time: string;
      readonly reason: string;
      readonly refusals: number;
      readonly verified: number;
      readonly unverified: number;
    }[];
  };
  "/accesses": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly interception_id: string;
      readonly action: string;
      readonly by: string;
      readonly target: string;
      readonly parameters: Readonly<Record<string, unknown>>;
      readonly rows: number;
      readonly before: string | null;
      readonly cause: string | null;
      readonly created_at: string;
    }[];
  };
  "/unauthenticated-events": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly event_id: string;
      readonly record_type: string;
      readonly interception_id: string;
      readonly event: Readonly<Record<string, unknown>> | null;
      readonly reason: string;
      readonly mac_key_id: string | null;
      readonly via: string;
      readonly stored_at: string;
    }[];
    readonly content_hidden?: boolean;
  };
  "/proof/{event_id}": {
    readonly event_id: string;
    readonly leaf_index: number;
    readonly leaf_hash: string;
    readonly tree_size: number;
    readonly inclusion_proof: readonly string[];
    readonly checkpoint: string;
    readonly entry: string | null;
    readonly is_intact: boolean;
    readonly erased: Readonly<Record<string, string>>;
  };
  "/checkpoint": {
    readonly checkpoint: string;
    readonly tree_size: number;
    readonly signed_at: string;
    readonly consistency_proof: readonly string[] | null;
  };
  "/budgets": {
    readonly count: number;
    readonly results: readonly {
      readonly budget: string;
      readonly per: string;
      readonly measure: string;
      readonly period: string;
      readonly hard: boolean;
      readonly mode: string;
      readonly subject_kind: string;
      readonly subject_source: string | null;
      readonly subject_id: string | null;
      readonly subject_name: string | null;
      readonly limit: number;
      readonly spent: number | null;
      readonly reserved: number | null;
      readonly resets_at: string | null;
    }[];
    readonly results_are_capped: boolean;
  };
  "/budgets/events": {
    readonly count: number;
    readonly count_is_capped: boolean;
    readonly results: readonly {
      readonly id: string;
      readonly interception_id: string;
      readonly rule: string;
      readonly subject_kind: string;
      readonly subject_source: string | null;
      readonly subject_id: string | null;
      readonly initiator_id: string | null;
      readonly actor_id: string | null;
      readonly measure: string;
      readonly percent: number | null;
      readonly amount: number | null;
      readonly spent: number | null;
      readonly reserved: number | null;
      readonly allowance: number | null;
      readonly resets_at: string | null;
      readonly change: string | null;
      readonly changed_by: string | null;
      readonly created_at: string;
      readonly type:
        | "budget_threshold"
        | "budget_exceeded"
        | "budget_overrun"
        | "rate_limited"
        | "budget_change"
        | "budget_charge";
    }[];
  };
  "/me/spend": {
    readonly id: string;
    readonly source: string;
    readonly name: string | null;
    readonly started_after: string;
    readonly spend: {
      readonly requests: number;
      readonly input_tokens: number;
      readonly output_tokens: number;
      readonly cache_read_input_tokens: number;
      readonly cache_write_input_tokens: number;
      readonly cost_micros: number;
      readonly unpriced: number;
    } | null;
    readonly budgets: readonly {
      readonly budget: string;
      readonly per: string;
      readonly measure: string;
      readonly period: string;
      readonly hard: boolean;
      readonly mode: string;
      readonly subject_kind: string;
      readonly subject_source: string | null;
      readonly subject_id: string | null;
      readonly subject_name: string | null;
      readonly limit: number;
      readonly spent: number | null;
      readonly reserved: number | null;
      readonly resets_at: string | null;
    }[];
  };
  "/openapi.json": Readonly<Record<string, unknown>>;
};

export type Posts = {
  "/explain": {
    body: {
      readonly method?: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string | readonly string[]>> | readonly (readonly string[])[];
      readonly body_sha256?: string;
      readonly model?: string;
      readonly body_bytes?: number;
      readonly output_limit?: number;
    };
    response: {
      readonly destination: "provider" | "api" | "base" | "not_found";
      readonly route: {
        readonly provider: string;
        readonly provider_type: string;
        readonly route: string;
        readonly kind: "intercept" | "passthrough";
      } | null;
      readonly client: string | null;
      readonly presented: {
        readonly identity: { readonly header: string; readonly key_id: string } | null;
        readonly assertion: { readonly header: string; readonly key_id: string } | null;
        readonly own: { readonly header: string; readonly key_id: string } | null;
      } | null;
      readonly delegation: "off" | "absent" | "rejected" | "accepted";
      readonly actor: {
        readonly id: string;
        readonly kind: string;
        readonly name: string | null;
        readonly source: string;
        readonly verified: boolean;
        readonly key_id: string;
        readonly may_assert: boolean | null;
      } | null;
      readonly initiator: {
        readonly id: string;
        readonly source: string;
        readonly name: string | null;
        readonly attribution: string;
      } | null;
      readonly rule: string | null;
      readonly signature: string | null;
      readonly directory: string | null;
      readonly candidates: readonly {
        readonly who: "owner" | "actor";
        readonly id: string | null;
        readonly rejection_reason: string | null;
      }[];
      readonly undecided: "signature" | null;
      readonly upstream_key: {
        readonly kind: "centralized" | "byok";
        readonly header: string;
        readonly key_id: string | null;
      } | null;
      readonly flags: readonly string[];
      readonly budgets:
        | readonly {
            readonly rule: string;
            readonly subject_kind: string;
            readonly subject_source: string | null;
            readonly subject_id: string | null;
            readonly measure: string;
            readonly would_reserve: number | null;
            readonly spent: number | null;
            readonly reserved: number | null;
            readonly limit: number;
            readonly resets_at: string | null;
          }[]
        | null;
      readonly refusal: {
        readonly reason: string;
        readonly status: number;
        readonly message: string;
        readonly detail: string | null;
      } | null;
    };
  };
  "/budgets/changes": {
    body: {
      readonly budget: string;
      readonly subject_source?: string;
      readonly subject_id?: string;
      readonly set_limit?: number | null;
      readonly top_up?: number;
      readonly change_id?: string;
    };
    response: {
      readonly budget: string;
      readonly per: string;
      readonly measure: string;
      readonly period: string;
      readonly hard: boolean;
      readonly mode: string;
      readonly subject_kind: string;
      readonly subject_source: string | null;
      readonly subject_id: string | null;
      readonly subject_name: string | null;
      readonly limit: number;
      readonly spent: number | null;
      readonly reserved: number | null;
      readonly resets_at: string | null;
    };
  };
  "/spend/corrections": {
    body: {
      readonly cause: string;
      readonly corrections: readonly {
        readonly interception_id: string;
        readonly position: number;
        readonly corrects: "interception_end" | "retrieved_usage";
        readonly cost_micros: number | null;
        readonly cost_source: "computed" | "reported" | "partial" | "unpriced";
        readonly price_version: string | null;
        readonly former_cost_micros: number | null;
        readonly former_cost_source: "computed" | "reported" | "partial" | "unpriced";
        readonly former_price_version: string | null;
      }[];
    };
    response: { readonly recorded: number };
  };
};

/** The query parameters of each path: the values of a closed set, else null. */

export const PARAMETERS = {
  "/sessions": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    started_after: null,
    started_before: null,
    q: null,
    limit: null,
    offset: null,
    after_session_id: null,
    after_id: null,
    content: ["true", "false"],
  },
  "/sessions/{session_id}": {
    initiator: null,
    initiator_source: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    actor: null,
    identity_source: null,
    limit: null,
    after_id: null,
    before_id: null,
    content: ["true", "false"],
  },
  "/sessions/{session_id}/agents": {
    initiator: null,
    initiator_source: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    actor: null,
    identity_source: null,
    limit: null,
    after_id: null,
  },
  "/interceptions": {
    id: null,
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    started_after: null,
    started_before: null,
    api_key_id: null,
    request_sha256: null,
    q: null,
    limit: null,
    offset: null,
    after_id: null,
    content: ["true", "false"],
  },
  "/overrides": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    api_key_id: null,
    owner: null,
    accepted: ["true", "false"],
    reason: [
      "client",
      "not_permitted",
      "multiple",
      "form",
      "version",
      "variant",
      "signature_required",
      "signature_malformed",
      "signature_uncovered",
      "signature_expired",
      "signature_invalid",
      "directory_unknown",
      "directory_inactive",
      "directory_down",
      "replayed",
      "replay_unavailable",
      "token_differs",
    ],
    provider: null,
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/passthroughs": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    api_key_id: null,
    object_id: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    route: null,
    method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    status: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    chat_id: null,
    workspace_id: null,
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/usage": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    own_key_rejected: ["true", "false"],
    group_by: ["initiator", "actor", "client", "provider", "model", "day", "hour"],
    order: ["requests", "key"],
    limit: null,
    offset: null,
    after_key: null,
    after_source: null,
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/spend": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    own_key_rejected: ["true", "false"],
    group_by: ["initiator", "actor", "client", "provider", "model", "day", "hour"],
    then_by: ["initiator", "actor", "client", "provider", "model", "day", "hour"],
    columns: ["own", "focus"],
    limit: null,
    offset: null,
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/providers": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    own_key_rejected: ["true", "false"],
    group_by: [
      "provider",
      "provider_model",
      "provider_client",
      "provider_day",
      "provider_hour",
      "day",
      "hour",
    ],
    limit: null,
    offset: null,
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/providers/attempts": {
    provider_name: null,
    limit: null,
    offset: null,
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/attribution": {
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    client: null,
    provider: null,
    provider_name: null,
    provider_type: null,
    model: null,
    attribution: ["authenticated", "signed", "asserted", "unverified", "claimed"],
    outcome: [
      "completed",
      "cancelled",
      "truncated",
      "stalled",
      "upstream_error",
      "refused",
      "queued",
      "orphaned",
      "open",
    ],
    session_id: null,
    chat_id: null,
    workspace_id: null,
    own_key_rejected: ["true", "false"],
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/anomalies": {
    kind: [
      "chat_multiple_initiators",
      "actor_multiple_owners",
      "owner_many_actors",
      "coder_agents_without_headers",
      "chat_multiple_actors",
      "actor_many_owners",
      "owner_without_chat",
      "unverified_owner_claims",
      "unknown_usage_share",
      "key_many_refusals",
      "provider_key_rejected",
      "provider_key_leaked",
      "asserted_share_spike",
    ],
    subject: null,
    seen_after: null,
    seen_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/refusals": {
    reason: [
      "not_found",
      "v1_doubled",
      "v1_missing",
      "bad_path",
      "url_too_long",
      "method_not_allowed",
      "websocket_unsupported",
      "loop",
      "credential_missing",
      "credential_malformed",
      "aws_signature_unsupported",
      "invalid_credential",
      "byok_not_accepted",
      "cross_origin",
      "provider_key_missing",
      "delegation_rejected",
      "identity_unavailable",
      "owner_rejected",
      "signature_required",
      "body_too_large",
      "body_encoded",
      "json_required",
      "body_type_unsupported",
      "body_encoding_invalid",
      "upload_not_signed",
      "body_unexpected",
      "body_incomplete",
      "body_timeout",
      "body_invalid",
      "form_invalid",
      "field_invalid",
      "field_repeated",
      "field_forbidden",
      "model_not_allowed",
      "model_not_found",
      "budget_exceeded",
      "budget_unpriced",
      "budget_attribution",
      "budget_unavailable",
      "rate_limited",
      "objects_not_allowed",
      "object_not_yours",
      "objects_unavailable",
      "upstream_unreachable",
      "upstream_redirected",
      "upstream_key_rejected",
      "upstream_token_unavailable",
      "upstream_key_leaked",
      "models_not_filtered",
      "upstream_timeout",
      "circuit_open",
      "provider_busy",
      "recording_unavailable",
      "admin_only",
      "scope_missing",
      "csrf_rejected",
      "filter_invalid",
      "filter_unknown",
      "ledger_unavailable",
      "records_unavailable",
      "gateway_busy",
      "misconfigured",
      "internal",
    ],
    provider: null,
    initiator: null,
    initiator_source: null,
    actor: null,
    identity_source: null,
    api_key_id: null,
    object_id: null,
    verified: ["true", "false"],
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/refusals/counts": {
    reason: [
      "not_found",
      "v1_doubled",
      "v1_missing",
      "bad_path",
      "url_too_long",
      "method_not_allowed",
      "websocket_unsupported",
      "loop",
      "credential_missing",
      "credential_malformed",
      "aws_signature_unsupported",
      "invalid_credential",
      "byok_not_accepted",
      "cross_origin",
      "provider_key_missing",
      "delegation_rejected",
      "identity_unavailable",
      "owner_rejected",
      "signature_required",
      "body_too_large",
      "body_encoded",
      "json_required",
      "body_type_unsupported",
      "body_encoding_invalid",
      "upload_not_signed",
      "body_unexpected",
      "body_incomplete",
      "body_timeout",
      "body_invalid",
      "form_invalid",
      "field_invalid",
      "field_repeated",
      "field_forbidden",
      "model_not_allowed",
      "model_not_found",
      "budget_exceeded",
      "budget_unpriced",
      "budget_attribution",
      "budget_unavailable",
      "rate_limited",
      "objects_not_allowed",
      "object_not_yours",
      "objects_unavailable",
      "upstream_unreachable",
      "upstream_redirected",
      "upstream_key_rejected",
      "upstream_token_unavailable",
      "upstream_key_leaked",
      "models_not_filtered",
      "upstream_timeout",
      "circuit_open",
      "provider_busy",
      "recording_unavailable",
      "admin_only",
      "scope_missing",
      "csrf_rejected",
      "filter_invalid",
      "filter_unknown",
      "ledger_unavailable",
      "records_unavailable",
      "gateway_busy",
      "misconfigured",
      "internal",
      "own_key_unconfirmed",
    ],
    provider: null,
    per: ["minute", "hour", "day"],
    limit: null,
    offset: null,
    started_after: null,
    started_before: null,
    format: ["json", "csv"],
  },
  "/accesses": {
    action: [
      "read",
      "read_content",
      "purge",
      "hold",
      "release",
      "erase",
      "export",
      "sign_in",
      "sign_in_failed",
      "sign_out",
    ],
    by: null,
    target: null,
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/unauthenticated-events": {
    reason: ["missing", "unknown_key", "wrong", "reserved_type"],
    record_type: [
      "interception_start",
      "interception_end",
      "token_usage",
      "prompt_usage",
      "tool_usage",
      "model_thought",
      "initiator_override",
      "initiator_override_rejected",
      "refusal",
      "passthrough",
      "retrieved_usage",
      "batch_file",
      "passthrough_start",
      "refusal_count",
      "ledger_access",
      "budget_threshold",
      "budget_exceeded",
      "budget_overrun",
      "rate_limited",
      "budget_change",
      "budget_charge",
      "cost_correction",
      "upstream_attempt",
    ],
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
    content: ["true", "false"],
  },
  "/proof/{event_id}": {},
  "/checkpoint": { from: null },
  "/budgets": { budget: null, subject_source: null, subject_id: null, limit: null, offset: null },
  "/budgets/events": {
    type: [
      "budget_threshold",
      "budget_exceeded",
      "budget_overrun",
      "rate_limited",
      "budget_change",
      "budget_charge",
    ],
    rule: null,
    subject_source: null,
    subject_id: null,
    initiator: null,
    actor: null,
    interception_id: null,
    started_after: null,
    started_before: null,
    limit: null,
    offset: null,
    after_id: null,
  },
  "/me/spend": {},
  "/openapi.json": {},
} as const;
