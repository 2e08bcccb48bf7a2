# What leaves for the client is packed well: head and body share a record, big bodies go in whole records, small answers
# in one packet, and the end of a connection is announced.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;
use SL::Probe;
use SL::Relay;

use constant { ALERT => 21, DATA => 23, RECORD => 16384 };
my %overhead = ('-tls1_2' => 24, '-tls1_3' => 17);    # AES-GCM
my @ciphers = ('-cipher', 'ECDHE+AESGCM', '-ciphersuites', 'TLS_AES_128_GCM_SHA256');

my $certs = SL::Certs->new;
my $cert  = $certs->server('one.test', type => 'ecdsa');

# Sends requests one after the other; returns the responses and the lengths of plain text in the server's records.
# TLS 1.3 hides which records belong to the handshake: what came before the first answer is left out, but tickets may
# come with that.
sub talk {
    my ($httpd, $version, @requests) = @_;
    my $relay  = SL::Relay->new(to => $httpd->port('https'));
    my $stream = SL::Client->new(port => $relay->port)->tls('one.test', args => [$version, @ciphers]);
    $stream->send("GET /first HTTP/1.1\r\nHost: one.test\r\n\r\n");
    my @responses = ($stream->response);
    my ($records, $writes) = (scalar @{ [$relay->records(1, 'down')] }, scalar @{ [$relay->writes(1, 'down')] });
    for my $request (@requests) {
        $stream->send($request);
        push @responses, $stream->response(20);
    }
    my @records = $relay->records(1, 'down');
    my @writes  = $relay->writes(1, 'down');
    $stream->close;
    $relay->stop;
    return {
        responses => \@responses,
        data      => [map { $_->{length} - $overhead{$version} } grep { $_->{type} == DATA } @records[$records .. $#records]],
        writes    => @writes - $writes,
    };
}

sub get { return "GET $_[0] HTTP/1.1\r\nHost: one.test\r\n\r\n" }

sub length_of { my ($response) = @_; return length($response->{head}) + length $response->{body} }

for my $mpm (qw(event worker prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm);
    $httpd->config(<<"CONF" . tls_host('one.test', $cert));
Listen 127.0.0.1:\${port_https}
Alias /read "\${docs}/one.test"
<Location /read>
    EnableMMAP Off
</Location>
SetEnvIf Request_URI /unclean ssl-unclean-shutdown
CONF
    $httpd->file("docs/one.test/$_", pattern($_)) for 1, 100, 6000, 16000, 65536, 1000000, 5000000;
    $httpd->file("docs/one.test/$_", 'first') for qw(first unclean);
    $httpd->start_ok or BAIL_OUT('httpd does not start');

    for my $version (sort keys %overhead) {
        my @small = map {"$_/100"} ('', '/read') x 20;
        my $r = talk($httpd, $version, map { get($_) } @small);
        my @lengths = map { length_of($_) } @{ $r->{responses} }[1 .. @small];
        is_deeply($r->{data}, \@lengths, "$mpm, $version: head and body of a small file share a record");
        is($r->{writes}, scalar @small, '... and leave in one packet');

        for my $path (map { ("/$_", "/read/$_") } 6000, 16000, 65536, 1000000, 5000000) {
            $r = talk($httpd, $version, get($path));
            my $length = length_of($r->{responses}[1]);
            my @expected = ((RECORD) x ($length / RECORD), $length % RECORD || ());
            is_deeply($r->{data}, \@expected, "... $path goes in whole records");
        }

        my $many = 300;
        $r = talk($httpd, $version, get('/100') x $many . get('/1'));
        my $all = 0;
        $all += $_ for @{ $r->{data} };
        cmp_ok($all / @{ $r->{data} }, '>', 300, '... pipelined answers are whole too');
    }

    # How a connection ends: the alert is the last record, or there is none.
    for my $case (['/first', 1], ['/unclean', 0]) {
        my ($path, $alerts) = @$case;
        my $relay  = SL::Relay->new(to => $httpd->port('https'));
        my $stream = SL::Client->new(port => $relay->port)->tls('one.test', args => ['-tls1_2']);
        $stream->send("GET $path HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
        is($stream->response->{body}, 'first', "$mpm: a connection is closed behind $path");
        ok(defined $stream->read_to_end, '... closed');
        my @types = map { $_->{type} } $relay->records(1, 'down');
        is(scalar(grep { $_ == ALERT } @types), $alerts, "... with $alerts close_notify");
        is($types[-1], $alerts ? ALERT : DATA, '... as the last record');
        $relay->stop;
    }
    $httpd->stop;

    # What a filter below sees of the handshake: the flight, then the tickets together with the first answer, if the
    # client sends its request right behind its last message.
    my $probing = SL::Probe::httpd(mpm => $mpm, name => 'probe');
    $probing->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $probing->port('https'));
    my $seen;
    ok(wait_until(
        sub {
            my $probe = SL::Probe->new($client->tls('one.test', args => ['-tls1_3']));
            $probe->ask('TLS');
            ($seen) = $probe->ask('SEEN');
            $probe->stream->close;
            return ($seen // '') =~ /^data FLUSH \| data data FLUSH \|$/;
        }, 10 * slow()), "$mpm: tickets leave with the first answer") or diag $seen;
    $probing->stop;
}
done_testing;
