/* Making, merging and finding our records in httpd's vectors. */
#include "httpd/module_config.h"

void *sl_config_make_server(apr_pool_t *pool, server_rec *s)
{
    sl_server_config_t *config = apr_pcalloc(pool, sizeof(*config));

    (void)s;
    config->settings = sl_settings_make(pool);
    return config;
}

void *sl_config_merge_server(apr_pool_t *pool, void *base, void *added)
{
    sl_server_config_t *config = apr_pcalloc(pool, sizeof(*config));

    config->settings =
        sl_settings_merge(pool, ((sl_server_config_t *)base)->settings, ((sl_server_config_t *)added)->settings);
    return config;
}

void *sl_config_make_dir(apr_pool_t *pool, char *dir)
{
    sl_dir_config_t *config = apr_pcalloc(pool, sizeof(*config));

    (void)dir;
    config->settings = sl_settings_make(pool);
    return config;
}

void *sl_config_merge_dir(apr_pool_t *pool, void *base, void *added)
{
    sl_dir_config_t *config = apr_pcalloc(pool, sizeof(*config));
    const sl_dir_config_t *nearest = ((sl_dir_config_t *)added)->has_outgoing ? added : base;

    config->settings =
        sl_settings_merge(pool, ((sl_dir_config_t *)base)->settings, ((sl_dir_config_t *)added)->settings);
    config->has_outgoing = nearest->has_outgoing;
    config->outgoing = nearest->outgoing;
    return config;
}

sl_server_config_t *sl_config_of_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &sl_module);
}

sl_dir_config_t *sl_config_of_request(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &sl_module);
}

long sl_config_options(const request_rec *r)
{
    return sl_settings_number(sl_config_of_request(r)->settings, SL_OPTIONS);
}

const sl_vhost_t *sl_config_vhost(const server_rec *s)
{
    return sl_config_of_server(s)->vhost;
}
