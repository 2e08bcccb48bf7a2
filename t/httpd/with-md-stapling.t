# mod_md fetches OCSP answers itself (MDStapling): what it has is stapled, in the place of what the module would fetch.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow wait_until);
use SL::Conf qw(page);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'this httpd has no mod_md' unless SL::Httpd::has_module('md');

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $ca        = $certs->ca('ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my %cert      = map { $_ => $certs->server("$_.test", type => 'ecdsa', extensions => $aia, $_ eq 'revoked' ? (revoked => 1) : ()) } qw(good revoked);

sub host {
    my ($name, $more) = @_;
    my $cert = $cert{$name};
    return "<VirtualHost *:\${port_https}>\nServerName $name.test\nSSLEngine on\nSSLCertificateFile \"$cert->{full}\"\n"
        . "SSLCertificateKeyFile \"$cert->{key}\"\nSSLCACertificateFile \"$ca\"\n$more\n</VirtualHost>\n";
}

my $httpd = SL::Httpd->new(modules => ['md'], full_stacks => 1);
page($httpd, 'good.test', 'revoked.test');
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nMDStapling on\nMDStapleOthers on\nMDStoreDir \"\${root}/md\"\n",
    "<Location /tls-status>\nSetHandler securelayer-status\n</Location>\n",
    host('good', ''), host('revoked', 'SSLUseStapling on'));
my $client = SL::Client->new(port => $httpd->port('https'), cacert => $ca);

sub stapled {
    my ($host, @args) = @_;
    my $r = $client->s_client($host, args => ['-status', @args]);
    return undef unless $r->{connected};
    return "$r->{out}$r->{text}" =~ /Cert Status: (\w+)/ ? $1 : '';
}

$httpd->start_ok or BAIL_OUT('httpd does not start');
my $last;
ok(wait_until(sub { ($last = stapled('good.test') // '') eq 'good' }, 30 * slow()), 'what mod_md fetched is stapled, without SSLUseStapling') or diag $last, $httpd->error_log;
is(stapled('good.test', '-tls1_2'), 'good', '... with TLS 1.2 as well');
ok(wait_until(sub { ($last = stapled('revoked.test') // '') eq 'revoked' }, 30 * slow()), '... of a revoked certificate, too') or diag $last, $httpd->error_log;
cmp_ok($responder->asked, '<=', 2, 'mod_md alone asks the responder: once a certificate');
unlike($httpd->error_log, qr/SL014[1-46]/, 'the module fetches nothing beside');
my $metrics = $client->curl('https://good.test/tls-status?metrics')->{body};
is(join(' ', $metrics =~ /^(securelayer_staples\{.*\} [1-9]\d*)$/mg), 'securelayer_staples{state="module"} 2', 'the status page tells that it is the matter of a module');
ok($httpd->restart, 'a graceful restart');
is(stapled('good.test'), 'good', '... leaves the answer in place');
$httpd->stop;
done_testing;
