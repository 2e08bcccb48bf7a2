# Debian's own ssl.load, ssl.conf and default-ssl.conf, and a virtual host as certbot writes it, load unchanged: what
# differs from a Debian machine comes from the environment and from paths and ports alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp);
use SL::Httpd;

my $certs = SL::Certs->new;
my $apache = '/etc/apache2';
my @files = ("$apache/mods-available/ssl.conf", "$apache/sites-available/default-ssl.conf");
my $server = $certs->server('www.example.org', type => 'rsa', issuer => 'intermediate');

SKIP: {
    skip 'no configuration of Debian here', 1 if grep { !-e } @files;
    my $httpd = SL::Httpd->new(symbol => 'ssl_module', modules => [qw(socache_shmcb headers)]);
    my ($conf, $site) = map { slurp($_) } @files;
    my $https = $httpd->port('https');
    # The certificate of the package ssl-cert is made when that is installed; a test has one of its own.
    $site =~ s{/etc/ssl/certs/ssl-cert-snakeoil\.pem}{$server->{full}};
    $site =~ s{/etc/ssl/private/ssl-cert-snakeoil\.key}{$server->{key}};
    $site =~ s{:443>}{:$https>};
    $site =~ s{/var/www/html}{\${docs}};
    $httpd->config(qq(Define APACHE_RUN_DIR "\${root}/run"\nDefine APACHE_LOG_DIR "\${root}/logs"\nLogFormat "%h %l %u %t \\"%r\\" %>s %O" combined\n)
            . "Listen 127.0.0.1:$https\n$conf\n$site");
    is($httpd->configtest->{status}, 0, "Debian's ssl.conf and default-ssl.conf: httpd -t accepts them") or diag $httpd->configtest->{err};
    $httpd->start_ok('... and httpd starts with them') or last SKIP;
    my $client = SL::Client->new(port => $https);
    is($client->curl('https://www.example.org/')->{code}, 200, '... and serves');
    my $s = $client->s_client('www.example.org', args => ['-tls1_2']);
    like($s->{text}, qr/Session-ID: [0-9A-F]{64}/, '... with its session cache');
    unlike($s->{text}, qr/TLS session ticket:/, '... and without tickets, as ssl.conf says');
    unlike($httpd->said, qr/\[ssl:(?:error|emerg|crit)\]|SSLRandomSeed|SSLPassPhraseDialog/, '... and nothing is amiss');
    $httpd->stop;
}

# As certbot's plugin for Apache writes it.
{
    my $httpd = SL::Httpd->new(symbol => 'ssl_module', modules => ['headers']);
    $httpd->file('letsencrypt/options-ssl-apache.conf', <<'CONF');
# This file contains important security parameters.
SSLEngine on

# Intermediate configuration, tweak to your needs
SSLProtocol             all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1
SSLCipherSuite          ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384
SSLHonorCipherOrder     off
SSLSessionTickets       off

SSLOptions +StrictRequire

# Add vhost name to log entries:
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"" vhost_combined
LogFormat "%v %h %l %u %t \"%r\" %>s %b" vhost_common
CONF
    $httpd->config(<<"CONF");
<IfModule mod_ssl.c>
Listen 127.0.0.1:\${port_https}
</IfModule>
<IfModule mod_ssl.c>
<VirtualHost *:\${port_https}>
    ServerName www.example.org
    ServerAdmin webmaster\@localhost
    DocumentRoot "\${docs}"
    Header always set Strict-Transport-Security "max-age=31536000"
    SSLCertificateFile "$server->{full}"
    SSLCertificateKeyFile "$server->{key}"
    Include "\${root}/letsencrypt/options-ssl-apache.conf"
</VirtualHost>
</IfModule>
CONF
    is($httpd->configtest->{status}, 0, 'a virtual host of certbot: httpd -t accepts it') or diag $httpd->configtest->{err};
    $httpd->start_ok('... and httpd starts with it') or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $r = $client->curl('https://www.example.org/');
    is($r->{code}, 200, '... and serves');
    is($r->{headers}{'strict-transport-security'}, 'max-age=31536000', '... with its header');
    ok($client->s_client('www.example.org', args => ["-$_"])->{connected}, "... with $_") for qw(tls1_2 tls1_3);
    ok(!$client->s_client('www.example.org', args => ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'])->{connected}, '... but not with TLS 1.1');
    $httpd->stop;
}
done_testing;
