package SL::Parity;

# Runs one configuration and the same requests against mod_ssl and against our module, and compares: does it start
# (exit status of httpd and of httpd -t), and for each request the status, the body and chosen headers.
#
#   parity(
#       name     => 'client certificates',
#       config   => $text,                    or sub { my ($httpd) = @_; ... $httpd->config(...) }
#       modules  => ['cgid'], mpm => 'event',
#       requests => [
#           {name => 'no certificate', url => 'https://one.test/x', curl => [http => 2]},
#           {name => 'TLS 1.2 alone', run => sub { my ($client, $httpd) = @_; return {protocol => ...} }},
#       ],
#       headers  => ['Location', 'Upgrade'],
#       clean    => sub { my ($key, $value) = @_; ... return $value },  before values are compared
#       differs  => {'no certificate' => {row => 'optional_no_ca', code => 200}},
#   );
#
# What a request gave is a flat hash; all its keys must agree. `differs` names the requests that may not: each has
# the `row` of the compatibility page (section 5, first column) that allows it, and what our module must give
# instead. An expected difference that is none any more fails too. `start` => {row, status} for the start itself.

use strict;
use warnings;
use Exporter 'import';
use Test::More ();
use SL::Client;
use SL::Httpd;

our @EXPORT = qw(parity);

# Rows of the compatibility page that allow a difference.
my %rows = map { $_ => 1 } (
    'handshake', 'virtual host choice', 'virtual host with the engine off, on a TLS port', 'unknown or missing SNI',
    'ALPN without overlap', 'start', 'expiry', 'session tickets', 'session scope', 'session cache', 'optional_no_ca',
    'Require ssl-verify-client', 'per-directory SSLCipherSuite', 'per-directory client certificates',
    'SNI / Host policy', 'SSLOptions', 'numbers', 'SSLProtocol TLSv1.2 TLSv1.3', 'defaults (when nothing is set)',
    'FakeBasicAuth', 'failed handshakes', 'plain HTTP on the TLS port', 'variables', 'global settings',
    'certificates, keys, CAs, CRLs, ticket keys', 'OCSP stapling', 'client certificate OCSP', 'names of backends', 'backends',
    'backends, sessions', 'backend handshake failure', 'machine keys',
);

sub outcome {
    my ($tls, $o) = @_;
    my $httpd = SL::Httpd->new(tls => $tls, mpm => $o->{mpm}, modules => $o->{modules}, load => $o->{load},
        mpm_settings => $o->{mpm_settings}, symbol => $o->{symbol}, name => "httpd with $tls");
    ref $o->{config} ? $o->{config}->($httpd) : $httpd->config($o->{config});
    my %seen = (test => { status => $httpd->configtest->{status} });
    my $up = $httpd->start;
    $seen{start} = { status => $httpd->start_status };
    $seen{said} = $httpd->said;
    return \%seen unless $up;

    my $client = SL::Client->new(port => $httpd->port('https'));
    for my $request (@{ $o->{requests} || [] }) {
        $seen{"request $request->{name}"} =
            $request->{run} ? $request->{run}->($client, $httpd) : by_curl($client, $request, $o);
    }
    $httpd->stop;
    return \%seen;
}

sub by_curl {
    my ($client, $request, $o) = @_;
    my $r = $client->curl($request->{url}, @{ $request->{curl} || [] });
    return {
        exit => $r->{status}, code => $r->{code}, version => $r->{version}, body => $r->{body},
        map { ("header $_" => $r->{headers}{ lc $_ }) } @{ $o->{headers} || [] },
    };
}

# Lines "key: theirs | ours" for every key that does not agree.
sub differences {
    my ($theirs, $ours, $clean) = @_;
    my @lines;
    for my $key (sort keys %{ { %$theirs, %$ours } }) {
        my ($a, $b) = map { my $v = $_->{$key} // '(none)'; $clean ? $clean->($key, $v) : $v } $theirs, $ours;
        push @lines, "$key: mod_ssl '$a', ours '$b'" if $a ne $b;
    }
    return @lines;
}

sub compare {
    my ($name, $theirs, $ours, $allowed, $clean) = @_;
    my @lines = differences($theirs, $ours, $clean);
    return Test::More::ok(!@lines, "$name: as mod_ssl") || Test::More::diag(@lines ? join "\n", @lines : ())
        unless $allowed;

    my %want = %$allowed;
    my $row  = delete $want{row};
    die "$name: '$row' is no row of the compatibility page" unless $rows{$row};
    my @wrong = grep {
        my ($got, $want) = ($ours->{$_} // '', $want{$_});
        ref $want ? $got !~ $want : $got ne $want
    } sort keys %want;
    Test::More::ok(@lines && !@wrong, "$name: differs on purpose ($row)")
        or Test::More::diag(@lines ? map { "$_: ours '" . ($ours->{$_} // '') . "', wanted $want{$_}\n" } @wrong : 'no difference');
}

sub parity {
    my (%o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::subtest(
        "parity: $o{name}",
        sub {
            my ($theirs, $ours) = map { outcome($_, \%o) } qw(mod_ssl securelayer);
            my %differs = %{ $o{differs} || {} };
            for my $step (qw(test start)) {
                compare($step eq 'test' ? 'httpd -t' : 'start', $theirs->{$step}, $ours->{$step}, $differs{$step}, undef)
                    || Test::More::diag("mod_ssl: $theirs->{said}\nours: $ours->{said}");
            }
            for my $request (@{ $o{requests} || [] }) {
                my $key = "request $request->{name}";
                next unless $theirs->{$key} && $ours->{$key};
                compare($request->{name}, $theirs->{$key}, $ours->{$key}, $differs{ $request->{name} }, $o{clean});
            }
            Test::More::done_testing();
        }
    );
}

1;
